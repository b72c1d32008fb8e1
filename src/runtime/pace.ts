/** How long a kernel is expected to take: as long as it did before, and at first by what any device of its family manages. */
import type { Op, Program } from '../program/index.js';
import { isCompute, matmulFlops, recordOf, typeBytes } from '../program/index.js';
import type { FamilyName } from './kernels/families.js';

/**
 * Arithmetic of native code, in floating-point operations per second: far below what was ever measured, since a guess
 * that is too short would end a good run. A core may be shared by ten others.
 */
const SLOWEST_FLOPS_PER_SECOND = 2e9;
/** Of families that are slower: plain loops, WebAssembly, and WebGPU where its driver computes on a CPU. */
const SLOWER: Partial<Record<FamilyName, number>> = {
  reference: 2e7,
  'tfjs-wasm': 2e8,
  'onnx-webgpu': 2e8,
  'tfjs-webgpu': 2e8,
};
/** Memory that is touched for the first time has to be found and cleared. */
const SLOWEST_BYTES_PER_SECOND = 1e8;
/** What a library does at a kernel's first run: memory, code for its device. */
const FIRST_RUN_SECONDS = 2;

export class Pace {
  #seconds: number;
  #isKnown = false;

  constructor(guessSeconds: number) {
    this.#seconds = guessSeconds;
  }

  /** The most that it took so far, or a guess. */
  get seconds(): number {
    return this.#seconds;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  took(seconds: number): void {
    this.#seconds = this.#isKnown ? Math.max(this.#seconds, seconds) : seconds;
    this.#isKnown = true;
  }
}

/** Of the first run of a kernel. @param ops those that it runs */
export function firstPace(program: Program, ops: readonly Op[], family: FamilyName): Pace {
  let [flops, bytes] = [0, 0];
  for (const { name, operands, results, attributes } of ops) {
    const [from, to] = [operands, results].map((ids) => ids.map((id) => program.values[id]!.type)) as [[], []];
    for (const type of [...from, ...to]) bytes += typeBytes(type);
    if (!isCompute(name)) continue;
    const { matmul, vectorFlops } = recordOf(name).work(from, to, attributes as never);
    flops += vectorFlops + (matmul === undefined ? 0 : matmulFlops(matmul));
  }
  return new Pace(
    FIRST_RUN_SECONDS + flops / (SLOWER[family] ?? SLOWEST_FLOPS_PER_SECOND) + bytes / SLOWEST_BYTES_PER_SECOND,
  );
}
