/**
 * Ops of libtensorflow that were called once, as a graph that runs them all in one go. The calls of tfjs's kernels are
 * recorded where they reach the binding, while they compute something; they become a SavedModel, which is what the
 * binding can load. In a graph, an op writes to its operand's memory where no other needs that.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { Recording, TensorType } from './backend.js';
import type { GraphAttribute, GraphNode } from './graph-def.js';
import { encodeSavedModel, TAG } from './graph-def.js';

interface Metadata {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: number;
}

interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: never;
}

interface Binding {
  executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): Metadata[];
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(model: number): void;
  /** Names are `NODE:OUTPUT`, with commas between them. */
  runSavedModel(model: number, inputs: readonly number[], inputNames: string, outputNames: string): Metadata[];
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
  isUsingGpuDevice(): boolean;
}

/** What tfjs-node keeps to itself. */
interface NativeBackend {
  binding: Binding;
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  createOutputTensor(metadata: Metadata): Tensor;
}

const native = (): NativeBackend => tf.backend() as unknown as NativeBackend;

/** Graphs were tried on CPUs alone. */
export const canRecord = (): boolean => !native().binding.isUsingGpuDevice();

/** DataType of types.proto. */
const DTYPES: Readonly<Record<string, number>> = { float32: 1, int32: 3, bool: 10 };

/**
 * On a node: whether XLA is to compile it, together with those around it; a node that does not say may be taken in. Where
 * there is no XLA, it says nothing.
 */
const compiled = (isCompiled: boolean) => ({ _XlaCompile: { b: isCompiled } }) as const;

/** What an op does depends on values, which the host has asked for. */
class ValuesNeeded extends Error {}

/** Writes down the ops that the backend executes meanwhile. */
class Recorder {
  readonly nodes: GraphNode[] = [];
  /** Where tensors of the binding come from, as an input of a node. */
  readonly #places = new Map<number, string>();
  #isChain = false;
  readonly #backend = native();
  readonly #binding = this.#backend.binding;
  readonly #attributeKinds: readonly (readonly [number, string])[];

  constructor() {
    const { TF_ATTR_STRING, TF_ATTR_INT, TF_ATTR_FLOAT, TF_ATTR_BOOL, TF_ATTR_TYPE, TF_ATTR_SHAPE } = this.#binding;
    this.#attributeKinds = [
      [TF_ATTR_STRING, 's'],
      [TF_ATTR_INT, 'i'],
      [TF_ATTR_FLOAT, 'f'],
      [TF_ATTR_BOOL, 'b'],
      [TF_ATTR_TYPE, 'type'],
      [TF_ATTR_SHAPE, 'shape'],
    ];
  }

  during<T>(work: () => T): T {
    const backend = this.#backend;
    const { binding, getInputTensorIds } = backend;
    backend.binding = this.#standIn();
    backend.getInputTensorIds = (tensors) => {
      const ids = getInputTensorIds.call(backend, tensors);
      tensors.forEach((tensor, index) => this.#constant(tensor, ids[index]!));
      return ids;
    };
    inChain = (link) => this.#chain(link);
    try {
      return work();
    } finally {
      inChain = (link) => link();
      Object.assign(backend, { binding, getInputTensorIds });
    }
  }

  #chain<T>(work: () => T): T {
    this.#isChain = true;
    try {
      return work();
    } finally {
      this.#isChain = false;
    }
  }

  input(tensor: Tensor): string {
    const attr = { dtype: { type: DTYPES[tensor.dtype]! }, shape: { shape: tensor.shape } };
    return this.#add('Placeholder', [], attr, this.#backend.getInputTensorIds([tensor]));
  }

  /** The tensor under another name, since what is fed can't be fetched. */
  output(tensor: Tensor): string {
    const [id] = this.#backend.getInputTensorIds([tensor]);
    this.#constant(tensor, id!);
    return this.#add(
      'Identity',
      [this.#places.get(id!)!],
      { T: { type: DTYPES[tensor.dtype]! }, ...compiled(false) },
      [],
    );
  }

  #standIn(): Binding {
    const binding = this.#binding;
    const executeOp: Binding['executeOp'] = (name, attributes, inputs, outputs) => {
      const made = binding.executeOp(name, attributes, inputs, outputs);
      const attr = Object.fromEntries(attributes.map((given) => [given.name, this.#attribute(given)]));
      this.#add(
        name,
        inputs.map((id) => this.#places.get(id)!),
        { ...attr, ...compiled(this.#isChain) },
        made.map(({ id }) => id),
      );
      return made;
    };
    const tensorDataSync: Binding['tensorDataSync'] = (id) => {
      if (this.#places.has(id)) throw new ValuesNeeded();
      return binding.tensorDataSync(id);
    };
    return Object.create(binding, { executeOp: { value: executeOp }, tensorDataSync: { value: tensorDataSync } });
  }

  #attribute({ name, type, value }: OpAttribute): GraphAttribute {
    const kind = this.#attributeKinds.find(([known]) => known === type);
    if (kind === undefined) throw new Error(`no attribute of a graph: ${name}`);
    return { [kind[1]]: value } as unknown as GraphAttribute;
  }

  #add(op: string, input: readonly string[], attr: GraphNode['attr'], made: readonly number[]): string {
    const name = `n${this.nodes.length}`;
    this.nodes.push({ name, op, input, attr });
    made.forEach((id, index) => this.#places.set(id, `${name}:${index}`));
    return `${name}:0`;
  }

  /** What no op made that was recorded: it comes from an array. */
  #constant({ shape, dtype }: TensorInfo, id: number): void {
    if (this.#places.has(id)) return;
    const { buffer, byteOffset, byteLength } = this.#binding.tensorDataSync(id);
    const literal = { dtype: DTYPES[dtype]!, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
    const attr = { dtype: { type: literal.dtype }, value: { tensor: literal } };
    this.#add('Const', [], attr, [id]);
  }
}

/** Of what is recorded at the moment. */
let inChain: <T>(work: () => T) => T = (work) => work();

/**
 * XLA makes one loop of a chain of elementwise ops. It runs in a thread of its own, which has to be woken: that is worth it
 * for long chains alone, on tensors that no cache of a core holds. libtensorflow's products are no slower than XLA's.
 */
export const chain = <T>(work: () => T): T => inChain(work);

function load(nodes: readonly GraphNode[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'meshwright-graph-'));
  try {
    writeFileSync(join(folder, 'saved_model.pb'), encodeSavedModel(nodes));
    return native().binding.loadSavedModel(folder, TAG);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param types of the operands
 * @param compute makes other tensors of them, by ops alone
 * @returns nothing where what is computed depends on values that the host reads
 */
export function record(
  types: readonly TensorType[],
  compute: (operands: readonly Tensor[]) => readonly Tensor[],
): Recording | undefined {
  const recorder = new Recorder();
  let [inputs, outputs] = ['', ''];
  const zeros = (): Tensor[] => types.map(({ shape, dtype }) => tf.zeros([...shape], dtype));
  try {
    tf.tidy(() => {
      const operands = zeros();
      inputs = operands.map((operand) => recorder.input(operand)).join(',');
      const results = recorder.during(() => compute(operands));
      outputs = results.map((result) => recorder.output(result)).join(',');
    });
  } catch (error) {
    if (error instanceof ValuesNeeded) return undefined;
    throw error;
  }
  const model = load(recorder.nodes);
  const run = (operands: readonly Tensor[]): Tensor[] => {
    const backend = native();
    const ids = backend.getInputTensorIds(operands);
    const made = backend.binding.runSavedModel(model, ids, inputs, outputs);
    return made.map((metadata) => backend.createOutputTensor(metadata));
  };
  // Now, and not when a step waits for it, what is to be compiled is.
  tf.tidy(() => void run(zeros()));
  return { run, dispose: () => native().binding.deleteSavedModel(model) };
}
