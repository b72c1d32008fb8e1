/** Collects the nodes and literals of one kernel's model, and what an entry of the table of ONNX kernels is. */
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import type { ValueType } from '../../../program/types.js';
import type { KernelSpec } from '../family.js';
import type { ElementType, Model, Node, NodeAttribute, Port, TensorLiteral } from './model.js';
import { ELEMENT_TYPES } from './model.js';

/** The name of a tensor in the model. */
export type Name = string;

export interface OnnxCall<N extends ComputeName> {
  readonly emitter: Emitter;
  readonly operands: readonly Name[];
  readonly types: readonly ValueType[];
  readonly resultTypes: readonly ValueType[];
  readonly attributes: Attributes[N];
  readonly coordinate: KernelSpec['coordinate'];
}

/** A value and how many dimensions it has. */
export interface Ranked {
  readonly name: Name;
  readonly rank: number;
}

/** Emits an op's nodes and gives the names of its results, which may be operands. */
export type OnnxKernel<N extends ComputeName> = (call: OnnxCall<N>) => Name[];

type NodeAttributes = Readonly<Record<string, NodeAttribute>>;

/** Operators that are written with others where they are lacking. */
export type Lacking = ReadonlySet<'FusedMatMul' | 'LogSoftmax' | 'OneHot'>;

export class Emitter {
  readonly #lacks: Lacking;
  readonly #nodes: Node[] = [];
  readonly #literals = new Map<string, TensorLiteral>();
  #next = 0;

  constructor(lacks: Lacking = new Set()) {
    this.#lacks = lacks;
  }

  #fresh(): Name {
    return `t${this.#next++}`;
  }

  #literal(type: TensorLiteral['type'], dims: readonly number[], values: readonly number[]): Name {
    const key = `${type} [${dims.join(',')}] ${values.map((value) => (Object.is(value, -0) ? '-0' : value)).join(',')}`;
    const known = this.#literals.get(key) ?? { name: this.#fresh(), type, dims, values };
    this.#literals.set(key, known);
    return known.name;
  }

  /** A float32 []. */
  scalar(value: number): Name {
    return this.#literal('float', [], [value]);
  }

  /** A float64 [], for arithmetic on scalars that cancels. */
  double(value: number): Name {
    return this.#literal('double', [], [value]);
  }

  /** An int32 []. */
  integer(value: number): Name {
    return this.#literal('int32', [], [value]);
  }

  /** An int64 [n]: a shape or a list of axes. */
  integers(values: readonly number[]): Name {
    return this.#literal('int64', [values.length], values);
  }

  /** An int32 [n]. */
  #range(count: number): Name {
    return this.#literal('int32', [count], [...Array(count).keys()]);
  }

  /** A float32 tensor. */
  table(dims: readonly number[], values: readonly number[]): Name {
    return this.#literal('float', dims, values);
  }

  /** A node with several results. */
  all(opType: string, inputs: readonly Name[], count: number, attributes: NodeAttributes = {}): Name[] {
    const outputs = Array.from({ length: count }, () => this.#fresh());
    this.#nodes.push({ opType, domain: '', inputs, outputs, attributes });
    return outputs;
  }

  /** A node of onnxruntime's own operators. */
  contrib(opType: string, inputs: readonly Name[], attributes: NodeAttributes): Name {
    const output = this.#fresh();
    this.#nodes.push({ opType, domain: 'com.microsoft', inputs, outputs: [output], attributes });
    return output;
  }

  node(opType: string, inputs: readonly Name[], attributes: NodeAttributes = {}): Name {
    return this.all(opType, inputs, 1, attributes)[0]!;
  }

  convert(x: Name, to: ElementType): Name {
    return this.node('Cast', [x], { to: { int: ELEMENT_TYPES[to] } });
  }

  /**
   * A float32 [] of 0 that onnxruntime does not know to be one, computed from any int32 tensor: of literals it would
   * compute whole tensors when it loads the model, and keep them.
   */
  runtimeZero(ids: Name): Name {
    const least = this.node('ReduceMin', [ids], { keepdims: { int: 0 } });
    return this.node('Mul', [this.convert(least, 'float'), this.scalar(0)]);
  }

  reshape(x: Name, shape: readonly number[]): Name {
    return this.node('Reshape', [x, this.integers(shape)]);
  }

  transpose(x: Name, order: readonly number[]): Name {
    return this.node('Transpose', [x], { perm: { ints: order } });
  }

  /** [..., n] → [..., 1]. */
  sumLast(x: Name): Name {
    return this.node('ReduceSum', [x, this.integers([-1])]);
  }

  /** Everything → []. */
  sumAll(x: Name): Name {
    return this.node('ReduceSum', [x], { keepdims: { int: 0 } });
  }

  /** alpha · op(A) op(B), transposing the last two dimensions without a copy where that can be done. */
  fusedMatmul(
    { name: a, rank: rankA }: Ranked,
    { name: b, rank: rankB }: Ranked,
    transposeA: boolean,
    transposeB: boolean,
    alpha: number,
  ): Name {
    const attributes = {
      transA: { int: Number(transposeA) },
      transB: { int: Number(transposeB) },
      alpha: { float: alpha },
    };
    if (!this.#lacks.has('FusedMatMul')) return this.contrib('FusedMatMul', [a, b], attributes);
    if (rankA === 2 && rankB === 2) return this.node('Gemm', [a, b], attributes);
    const turned = (x: Name, rank: number): Name => this.transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
    const operands = [transposeA ? turned(a, rankA) : a, transposeB ? turned(b, rankB) : b];
    const product = this.node('MatMul', operands);
    return alpha === 1 ? product : this.node('Mul', [product, this.scalar(alpha)]);
  }

  /** x [..., n] less the logarithm of the sum of its exponentials. */
  logSoftmax(x: Name): Name {
    if (!this.#lacks.has('LogSoftmax')) return this.node('LogSoftmax', [x], { axis: { int: -1 } });
    const shifted = this.node('Sub', [x, this.node('ReduceMax', [x, this.integers([-1])])]);
    return this.node('Sub', [shifted, this.node('Log', [this.sumLast(this.node('Exp', [shifted]))])]);
  }

  /** index int32 of `shape` → [...shape, classes]: `value`, a float32 [1], at each index that is one, else 0. */
  oneHot(index: Name, shape: readonly number[], classes: number, value: Name): Name {
    if (!this.#lacks.has('OneHot')) {
      const values = this.node('Concat', [this.table([1], [0]), value], { axis: { int: 0 } });
      return this.node('OneHot', [index, this.integer(classes), values]);
    }
    const isClass = this.node('Equal', [this.reshape(index, [...shape, 1]), this.#range(classes)]);
    return this.node('Where', [isClass, value, this.scalar(0)]);
  }

  /**
   * Nodes whose results no other node reads come last, the first of them at the very end. onnxruntime starts from the
   * last of the nodes without readers, goes back over what it needs, and takes the others in turn (graph_viewer.cc); in
   * the order of the ops, it would run a layer's whole backward pass before the first gradient of a weight, and hold
   * what all of them read.
   */
  #inOrder(): readonly Node[] {
    const read = new Set(this.#nodes.flatMap(({ inputs }) => inputs));
    const isRead = ({ outputs }: Node): boolean => outputs.some((name) => read.has(name));
    return [...this.#nodes.filter(isRead), ...this.#nodes.filter((node) => !isRead(node)).reverse()];
  }

  /**
   * The model of what was emitted. A node writes straight to an output where it can; an output that is an input, or a
   * second one of the same value, is copied.
   */
  finish(inputs: readonly Port[], results: readonly { readonly value: Name; readonly output: Port }[]): Model {
    const produced = new Set(this.#nodes.flatMap(({ outputs }) => outputs));
    const renamed = new Map<Name, Name>();
    for (const { value, output } of results) {
      if (produced.has(value) && !renamed.has(value)) renamed.set(value, output.name);
      else
        this.#nodes.push({ opType: 'Identity', domain: '', inputs: [value], outputs: [output.name], attributes: {} });
    }
    const rename = (name: Name): Name => renamed.get(name) ?? name;
    return {
      inputs,
      outputs: results.map(({ output }) => output),
      initializers: [...this.#literals.values()],
      nodes: this.#inOrder().map((node) => ({
        ...node,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
      })),
    };
  }
}
