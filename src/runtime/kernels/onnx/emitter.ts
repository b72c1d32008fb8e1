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

/** Emits an op's nodes and gives the names of its results, which may be operands. */
export type OnnxKernel<N extends ComputeName> = (call: OnnxCall<N>) => Name[];

type NodeAttributes = Readonly<Record<string, NodeAttribute>>;

export class Emitter {
  readonly #nodes: Node[] = [];
  readonly #literals = new Map<string, TensorLiteral>();
  #next = 0;

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

  /** alpha · op(A) op(B), transposing the last two dimensions without a copy. */
  fusedMatmul(a: Name, b: Name, transposeA: boolean, transposeB: boolean, alpha: number): Name {
    return this.contrib('FusedMatMul', [a, b], {
      transA: { int: Number(transposeA) },
      transB: { int: Number(transposeB) },
      alpha: { float: alpha },
    });
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
