/**
 * What model definitions are written with: parameters declared where they are used, scopes for ids, and moves between
 * the layouts. It hides which axes a mesh has: gathering over an absent axis is no op.
 */
import { BATCH_AXES, axisSize, batchParts, normalizeStates, stateOf } from '../mesh/index.js';
import type { AxisName, AxisState, AxisStates, Mesh, Segments } from '../mesh/index.js';
import type {
  Attributes,
  CollectiveName,
  ComputeName,
  DataInput,
  FloatType,
  Initializer,
  ParameterGroup,
  ParameterInput,
  Program,
  ProgramInput,
  ProgramOutput,
  TokenDeal,
  ValueId,
  ValueType,
} from '../program/index.js';
import { Builder, isHalf } from '../program/index.js';
import type { ModelForm } from './form.js';
import { DEFAULT_FORM } from './form.js';
import type { ActivationLayout } from './layout.js';
import { streamDimension } from './layout.js';

export interface ForwardOptions {
  readonly mesh: Mesh;
  /** Examples (images, or sequences of tokens) of one microbatch, over all ranks. */
  readonly batch: number;
  /** What the summed loss is divided by: the images, or the tokens, of all microbatches. */
  readonly lossDivisor: number;
  readonly parameterType: FloatType;
  readonly computeType: FloatType;
  /** How the residual stream lies on the `model` axis. */
  readonly activations: ActivationLayout;
  /** `loss` for training, `logits` for evaluation. */
  readonly output: 'loss' | 'logits';
  /** How the framework that runs it writes the model down; as this project does unless given. */
  readonly form?: ModelForm;
}

/** How a parameter lies on the mesh and where it belongs; `model` is the dimension sharded over the model axis. */
export interface ParameterOptions {
  readonly model?: number;
  /** The dimension that is tokens, dealt over `sequence` as those of the batch. */
  readonly tokens?: number;
  readonly initializer: Initializer;
  readonly decayed?: boolean;
  /** See `shardRanges`; the parts of the dimension sharded over `model`. */
  readonly segments?: readonly number[];
  /** The type that it is used in; that of activations unless given. */
  readonly type?: FloatType;
}

export interface NormOptions {
  /** Layer normalization; root mean square otherwise. */
  readonly centered: boolean;
  readonly bias: boolean;
}

/** How tokens, one `dimension` of an input, are dealt over the axis `sequence`, where there is one. */
const dealt = (mesh: Mesh, dimension: number): { readonly segments?: Segments } =>
  axisSize(mesh, 'sequence') === 1 ? {} : { segments: { dimension, zigzag: 'sequence' } };

/** How a value [B,...] lies: the batch split over every axis that splits one. */
export const batchStates = (mesh: Mesh): AxisStates =>
  normalizeStates(mesh, Object.fromEntries(BATCH_AXES.map((name) => [name, 0])));

export class ModelBuilder {
  readonly options: ForwardOptions;
  readonly #builder: Builder;
  readonly #inputs: ProgramInput[] = [];
  readonly #scope: string[] = [];
  #group: ParameterGroup = 'body';
  /** Parameters declared inside a layer are one element of a stack. */
  #layer: ParameterInput[] | undefined;

  constructor(options: ForwardOptions) {
    this.options = options;
    this.#builder = new Builder(options.mesh);
  }

  get form(): ModelForm {
    return this.options.form ?? DEFAULT_FORM;
  }

  /** The size of the model axis: shares of widths and heads. */
  get shards(): number {
    return axisSize(this.options.mesh, 'model');
  }

  /** How ops whose result hangs on a token's place are told which tokens a chip has; nothing where it has all. */
  get tokenDeal(): { readonly tokens?: TokenDeal } {
    const parts = axisSize(this.options.mesh, 'sequence');
    return parts === 1 ? {} : { tokens: { axis: 'sequence', parts } };
  }

  shape(value: ValueId): readonly number[] {
    return this.#builder.type(value).shape;
  }

  #path(name: string): string {
    return [...this.#scope, name].join('/');
  }

  in<T>(name: string, build: () => T): T {
    this.#scope.push(name);
    try {
      return build();
    } finally {
      this.#scope.pop();
    }
  }

  group<T>(group: ParameterGroup, build: () => T): T {
    const outer = this.#group;
    this.#group = group;
    try {
      return build();
    } finally {
      this.#group = outer;
    }
  }

  op<N extends ComputeName | CollectiveName>(
    name: N,
    operands: readonly ValueId[],
    attributes: Attributes[N],
    id: string = name,
  ): ValueId {
    return this.#builder.emit(name, operands, attributes, { id: this.#path(id), phase: 'forward' });
  }

  /** Tensors whose `dimension` is tokens, dealt over `sequence` → with all of them, rank after rank, in one launch. */
  gatherTokens(tensors: readonly ValueId[], dimension: number): readonly ValueId[] {
    if (axisSize(this.options.mesh, 'sequence') === 1) return tensors;
    const attributes = { axis: 'sequence' as const, dimensions: tensors.map(() => dimension) };
    const options = { id: this.#path('gather-tokens'), phase: 'forward' as const, asynchronous: true };
    return this.#builder.emitAll('all_gather', tensors, attributes, options);
  }

  ops<N extends ComputeName>(
    name: N,
    operands: readonly ValueId[],
    attributes: Attributes[N],
    id: string = name,
  ): ValueId[] {
    return this.#builder.emitAll(name, operands, attributes, { id: this.#path(id), phase: 'forward' });
  }

  /** Images [B,...], each chip its part of the batch. @param shape of the whole microbatch */
  images(shape: readonly number[]): ValueId {
    const { mesh, computeType } = this.options;
    const local = shape.with(0, shape[0]! / batchParts(mesh));
    return this.#input('images', { shape: local, dtype: computeType, states: batchStates(mesh) });
  }

  /** Token ids [B,S], each chip its tokens of its part of the batch. */
  tokenIds(name: 'tokens' | 'targets', batch: number, sequence: number): ValueId {
    const { mesh } = this.options;
    const shape = [batch / batchParts(mesh), sequence / axisSize(mesh, 'sequence')];
    const states = normalizeStates(mesh, { ...batchStates(mesh), sequence: 1 });
    return this.#input(name, { shape, dtype: 'i32', states }, dealt(mesh, 1));
  }

  /** Targets that lie as the logits do. */
  labels(logits: ValueId): ValueId {
    const { shape, dtype, states } = this.#builder.type(logits);
    return this.#input('labels', { shape, dtype, states });
  }

  #input(name: DataInput['name'], type: ValueType, deal: Pick<DataInput, 'segments'> = {}): ValueId {
    const value = this.#builder.value(type, 'input', name);
    this.#inputs.push({ kind: 'data', name, value, ...deal });
    return value;
  }

  /** A parameter in the type that it is used in. @param shape of the whole parameter (of one layer) */
  parameter(name: string, shape: readonly number[], options: ParameterOptions): ValueId {
    const { mesh, parameterType, computeType } = this.options;
    const { model, tokens, segments, type = computeType } = options;
    const states = normalizeStates(mesh, {
      ...(tokens === undefined ? {} : { sequence: tokens }),
      ...(model === undefined ? {} : { model }),
    });
    const local = mesh.axes.reduce<readonly number[]>((sizes, { name: axis, size }) => {
      const dimension = states[axis];
      return typeof dimension === 'number' ? sizes.with(dimension, sizes[dimension]! / size) : sizes;
    }, shape);
    const path = this.#path(name);
    const value = this.#builder.value({ shape: local, dtype: parameterType, states }, 'parameter', path);
    const input: ParameterInput = {
      kind: 'parameter',
      value,
      name: path,
      group: this.#group,
      initializer: options.initializer,
      decayed: options.decayed ?? false,
      ...(segments && model !== undefined ? { segments: { dimension: model, sizes: segments } } : {}),
      ...(tokens === undefined ? {} : dealt(mesh, tokens)),
    };
    if (this.#layer) this.#layer.push(input);
    else this.#inputs.push(input);
    return parameterType === type ? value : this.op('cast', [value], { dtype: type }, `${name}/cast`);
  }

  /** `depth` layers as one repeated region; what `build` declares becomes a stack with an element for each. */
  layers(name: string, depth: number, x: ValueId, build: (x: ValueId) => ValueId): ValueId {
    const builder = this.#builder;
    const arg = builder.value(builder.type(x), 'activation');
    const declared: ParameterInput[] = [];
    this.#layer = declared;
    const { ops, result } = builder.block(() => this.in(name, () => build(arg)));
    this.#layer = undefined;
    const stacks = declared.map((input) => {
      const value = builder.value({ ...builder.type(input.value), stack: depth }, 'parameter', input.name);
      this.#inputs.push({ ...input, value });
      return value;
    });
    const final = builder.value(builder.type(result), 'activation');
    builder.push({
      name: 'repeat',
      id: this.#path(name),
      phase: 'forward',
      operands: [x, ...stacks],
      results: [final],
      attributes: { count: depth, carried: 1, reverse: false },
      region: { args: [arg, ...declared.map(({ value }) => value)], ops, results: [result] },
    });
    return final;
  }

  state(value: ValueId, axis: AxisName): AxisState {
    return stateOf(this.#builder.type(value).states, axis);
  }

  /** Whole on every chip of `model`. */
  gather(x: ValueId): ValueId {
    const dimension = this.state(x, 'model');
    if (typeof dimension !== 'number') return x;
    return this.op('all_gather', [x], { axis: 'model', dimensions: [dimension] }, 'gather');
  }

  /** What is replicated over `model`, for one linear that sums up its part of the gradient by itself. */
  copyToShards(x: ValueId): ValueId {
    if (this.shards === 1 || this.state(x, 'model') !== 'replicated') return x;
    return this.op('copy_to_shards', [x], { axis: 'model' }, 'copy');
  }

  /** A pending sum → shards of a dimension. */
  scatter(x: ValueId, dimension: number): ValueId {
    if (this.shards === 1) return x;
    return this.op('reduce_scatter', [x], { axis: 'model', dimensions: [dimension] }, 'scatter');
  }

  /** A pending sum → whole. */
  reduce(x: ValueId): ValueId {
    return this.state(x, 'model') === 'partial' ? this.op('all_reduce', [x], { axis: 'model' }, 'reduce') : x;
  }

  /** A pending sum [B,S,D] → a stream of the given layout. */
  settle(x: ValueId, layout: ActivationLayout = this.options.activations): ValueId {
    const dimension = streamDimension(layout);
    return dimension === undefined ? this.reduce(x) : this.scatter(x, dimension);
  }

  /** [B,S,D/k] → the stream. */
  enterStream(x: ValueId): ValueId {
    const from = streamDimension('width')!;
    const to = streamDimension(this.options.activations);
    if (this.shards === 1 || from === to) return x;
    return to === undefined ? this.gather(x) : this.op('all_to_all', [x], { axis: 'model', from, to }, 'exchange');
  }

  /** What was made from a stream, without its tokens: [B,D] in any state → [B,D/k]. */
  toWidth(x: ValueId): ValueId {
    const { mesh } = this.options;
    const state = this.state(x, 'model');
    if (this.shards === 1 || state === 1) return x;
    if (state === 'partial') return this.scatter(x, 1);
    // As a pending sum of equal shares: each chip then takes its part of the sum.
    const { dtype } = this.#builder.type(x);
    const states = normalizeStates(mesh, { model: 'partial' });
    const share = this.op('constant', [], { shape: [], value: 1 / this.shards, dtype, states }, 'share');
    return this.scatter(this.op('multiply', [x, share], {}, 'shares'), 1);
  }

  /** In a type that means and losses are taken in. */
  widen(x: ValueId): ValueId {
    return isHalf(this.#builder.type(x).dtype) ? this.op('cast', [x], { dtype: 'f32' }, 'widen') : x;
  }

  matmul(a: ValueId, b: ValueId, options: Partial<Attributes['matmul']>, id: string): ValueId {
    return this.op('matmul', [a, b], { transposeA: false, transposeB: false, scale: 1, ...options }, id);
  }

  /**
   * Normalization over the last dimension of x [..., width], sharded or not, in f32 where x is a half: a variance is the
   * difference of two means.
   *
   * @param width the whole width
   */
  norm(name: string, x: ValueId, width: number, { centered, bias }: NormOptions): ValueId {
    return this.in(name, () => {
      const { dtype } = this.#builder.type(x);
      const wide = this.widen(x);
      if (!centered && this.form.norms === 'composed') return this.#composedNorm(wide, dtype as FloatType, width);
      const type = this.#builder.type(wide).dtype as FloatType;
      const sharding = { type, ...(this.shape(x).at(-1) === width ? {} : { model: 0 }) };
      const gain = this.parameter('gain', [width], { ...sharding, initializer: { kind: 'ones' } });
      const biases = bias ? [this.parameter('bias', [width], { ...sharding, initializer: { kind: 'zeros' } })] : [];
      const m = this.reduce(this.op('moments', [wide], { centered, width }));
      const normed = this.op('normalize', [wide, m, gain, ...biases], { centered, epsilon: 1e-6 });
      return type === dtype ? normed : this.op('cast', [normed], { dtype }, 'narrow');
    });
  }

  /** x · rsqrt(mean(x²) + ε) in the type of x, then narrowed and scaled: an op for each of a framework's. */
  #composedNorm(x: ValueId, dtype: FloatType, width: number): ValueId {
    const { shape, dtype: type, states } = this.#builder.type(x);
    const local = shape.at(-1)!;
    const squares = this.op('sum', [this.op('multiply', [x, x], {}, 'square')], { dimensions: [shape.length - 1] });
    const mean = this.op('scale', [this.reduce(squares)], { factor: 1 / width }, 'mean');
    const moments = this.op('expand', [mean], { dimensions: [shape.length - 1], sizes: [1], states: {} }, 'moments');
    const ofWidth = states.model === shape.length - 1 ? { model: 0 } : {};
    const one = { shape: [local], value: 1, dtype: type, states: normalizeStates(this.options.mesh, ofWidth) };
    const options = { centered: false, epsilon: 1e-6 };
    const normed = this.op('normalize', [x, moments, this.op('constant', [], one, 'one')], options);
    const narrow = type === dtype ? normed : this.op('cast', [normed], { dtype }, 'narrow');
    const gain = this.parameter('gain', [width], {
      ...(local === width ? {} : { model: 0 }),
      initializer: { kind: 'ones' },
    });
    return this.op('multiply', [narrow, gain], {}, 'scale');
  }

  finish(outputs: readonly ProgramOutput[]): Program {
    return this.#builder.finish(this.#inputs, outputs);
  }
}
