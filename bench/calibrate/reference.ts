/**
 * The reference: the same products and additions on two ranks at once, beside every measurement. What slows it down, or
 * speeds it up, does so to what is measured beside it.
 */
import { median } from 'simple-statistics';
import { createMesh } from '../../src/mesh/index.js';
import type { ValueId } from '../../src/program/index.js';
import { Builder } from '../../src/program/index.js';
import { DevicePool } from '../../src/runtime/index.js';

const SIDE = 384;
const PRODUCTS = 8;
const ELEMENTS = 2 ** 20;
const SUMS = 8;
const RUNS = 5;
const RANKS = 2;

export class Reference {
  readonly #pool: DevicePool;

  private constructor(pool: DevicePool) {
    this.#pool = pool;
  }

  static async open(workerUrl: URL): Promise<Reference> {
    const mesh = createMesh({ data: RANKS });
    const builder = new Builder(mesh);
    const tensor = (name: string, shape: readonly number[], standardDeviation: number) => {
      const value = builder.value({ shape, dtype: 'f32', states: {} }, 'parameter', name);
      const initializer = { kind: 'normal', standardDeviation } as const;
      return { kind: 'parameter', value, name, group: 'body', initializer, decayed: false } as const;
    };
    const matrix = tensor('matrix', [SIDE, SIDE], SIDE ** -0.5);
    const vector = tensor('vector', [ELEMENTS], 1);
    let product: ValueId = matrix.value;
    let sum: ValueId = vector.value;
    const plain = { transposeA: false, transposeB: false, scale: 1 };
    for (let index = 0; index < PRODUCTS; index++)
      product = builder.emit('matmul', [product, matrix.value], plain, { id: `product/${index}`, phase: 'forward' });
    for (let index = 0; index < SUMS; index++)
      sum = builder.emit('add', [sum, vector.value], {}, { id: `sum/${index}`, phase: 'forward' });
    const pool = await DevicePool.create({ mesh, family: 'onnx', threadsPerRank: 1, workerUrl });
    try {
      await pool.load('reference', builder.finish([matrix, vector], []));
      await pool.initialize(1);
      await pool.run('reference');
    } catch (error) {
      await pool.close();
      throw error;
    }
    return new Reference(pool);
  }

  /** The median of a few runs, in seconds. */
  async seconds(): Promise<number> {
    const found: number[] = [];
    for (let run = 0; run < RUNS; run++) found.push((await this.#pool.run('reference')).seconds);
    return median(found);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
