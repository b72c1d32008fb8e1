/**
 * What a step tells of itself beside its loss: the gradients' squares, as the optimizer gets them, and the largest
 * attention logit. Each is a running number that goes from op to op, through the repeats around them, and is an output at
 * the end. Done to a program that is complete, so that it sees what is computed and changes nothing of it.
 */
import { copyCount, formatStates, normalizeStates } from '../../mesh/index.js';
import { Builder, attributesOf } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { DType, Op, Program, ProgramInput, ProgramOutput, Region, ValueId, ValueType } from '../types.js';
import { MONITOR, regionOps } from '../types.js';

/** The output with Σg² over all gradients: the sum over all ranks. */
export const GRADIENT_SQUARES = `${MONITOR}gradient-squares`;
/** What outputs with the largest attention logits begin with: the largest over all of them and all ranks. */
export const LARGEST_LOGIT = `${MONITOR}largest-logit`;

/** A value to look at before an op. */
interface Watched {
  /** Of the running number; the same for values of one rank and states. */
  readonly name: string;
  readonly value: ValueId;
}

type Watch = (op: Op, typeOf: (id: ValueId) => ValueType) => Watched | undefined;

/** Attention's logits, scaled and not yet masked; those of the forward pass, whatever is made again after it. */
const attentionLogits: Watch = ({ name, phase, operands: [scores] }, typeOf) => {
  if (name !== 'softmax' || phase !== 'forward') return undefined;
  const { shape, states } = typeOf(scores!);
  return { name: `${LARGEST_LOGIT}/${shape.length}${formatStates(states)}`, value: scores! };
};

/** Gradients that updates read. @param isCounted whether a parameter is one of this program's */
const finalGradients =
  (isCounted: (parameter: string) => boolean): Watch =>
  ({ name, id, operands: [, gradient] }) =>
    (name === 'adamw' || name === 'sgd') && isCounted(id.replace(/^update\//, ''))
      ? { name: GRADIENT_SQUARES, value: gradient! }
      : undefined;

class Monitoring {
  readonly #builder: Builder;
  readonly #watch: Watch;

  constructor(builder: Builder, watch: Watch) {
    this.#builder = builder;
    this.#watch = watch;
  }

  #watched = (op: Op): Watched | undefined => this.#watch(op, (id) => this.#builder.type(id));

  /** The running numbers of ops and the regions in them, each with a value that it is taken over. */
  find(ops: readonly Op[]): ReadonlyMap<string, ValueId> {
    const found = new Map<string, ValueId>();
    for (const op of ops) {
      const one = this.#watched(op);
      if (one !== undefined) found.set(one.name, one.value);
      if (op.region !== undefined) this.find(regionOps(op.region)).forEach((value, name) => found.set(name, value));
    }
    return found;
  }

  /** What a running number over values like this one is. */
  typeOf(name: string, value: ValueId): ValueType {
    const { mesh } = this.#builder;
    const { shape, states, dtype: given } = this.#builder.type(value);
    // A half has too few digits for a sum.
    const dtype: DType = given === 'f64' ? 'f64' : 'f32';
    if (name !== GRADIENT_SQUARES) return { shape: shape.map(() => 1), dtype, states };
    const partial = Object.fromEntries(mesh.axes.map(({ name: axis }) => [axis, 'partial'] as const));
    return { shape: [], dtype, states: normalizeStates(mesh, partial) };
  }

  /** @param current running numbers before the ops, and then those after them */
  thread(ops: readonly Op[], current: Map<string, ValueId>): Op[] {
    return ops.flatMap((op) => {
      const one = this.#watched(op);
      if (one !== undefined) return [...this.#fold(op, one, current), op];
      if (op.region === undefined) return [op];
      const inside = this.find(regionOps(op.region));
      return inside.size === 0 ? [op] : [this.#through(op, op.region, inside, current)];
    });
  }

  #fold({ id, phase }: Op, { name, value }: Watched, current: Map<string, ValueId>): Op[] {
    const builder = this.#builder;
    const operands = [value, current.get(name)!];
    const options = { id: `${MONITOR}${id}`, phase };
    const { ops, result } = builder.block(() =>
      name === GRADIENT_SQUARES
        ? builder.emit('sum_squares', operands, { share: this.#shareOf(value) }, options)
        : builder.emit('max_absolute', operands, {}, options),
    );
    current.set(name, result);
    return ops;
  }

  #shareOf = (value: ValueId): number => 1 / copyCount(this.#builder.mesh, this.#builder.type(value).states);

  /** A repeat that carries running numbers too. */
  #through(op: Op, region: Region, inside: ReadonlyMap<string, ValueId>, current: Map<string, ValueId>): Op {
    const builder = this.#builder;
    const attributes = attributesOf(op, 'repeat');
    const { carried } = attributes;
    if (region.ahead !== undefined && this.find(region.ahead.ops).size > 0)
      throw invalid(op.id, 'nothing to look at among what is issued early', 'some');
    const names = [...inside.keys()];
    const insert = (list: readonly ValueId[], added: readonly ValueId[]): ValueId[] => [
      ...list.slice(0, carried),
      ...added,
      ...list.slice(carried),
    ];
    const like = (name: string): ValueId => builder.value(this.typeOf(name, inside.get(name)!), 'activation', name);
    const args = names.map(like);
    const within = new Map(names.map((name, index) => [name, args[index]!]));
    const ops = this.thread(region.ops, within);
    const before = names.map((name) => current.get(name)!);
    const after = names.map(like);
    names.forEach((name, index) => current.set(name, after[index]!));
    return {
      ...op,
      operands: insert(op.operands, before),
      results: insert(op.results, after),
      attributes: { ...attributes, carried: carried + names.length },
      region: {
        ...region,
        args: insert(region.args, args),
        ops,
        results: insert(region.results, [...within.values()]),
      },
    };
  }
}

/** Where running numbers begin: at zero, or where another slot of the step left them. */
type Begin = (
  builder: Builder,
  name: string,
  type: ValueType,
) => { readonly value: ValueId; readonly input?: ProgramInput };

const atZero: Begin = (builder, name, type) => {
  const { shape, dtype, states } = type;
  const options = { id: `${name}#start`, phase: 'forward' as const };
  return { value: builder.emit('constant', [], { shape, dtype, states, value: 0 }, options) };
};

const fromSum: Begin = (builder, name, type) => {
  const value = builder.value(type, 'activation', name);
  return { value, input: { kind: 'sum', name, value } };
};

function monitor(program: Program, watch: Watch, begin: Begin, outputName: (name: string) => string): Program {
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const monitoring = new Monitoring(builder, watch);
  const found = [...monitoring.find(program.ops)];
  if (found.length === 0) return program;
  const inputs: ProgramInput[] = [];
  const current = new Map<string, ValueId>();
  const { ops: started } = builder.block(() => {
    for (const [name, like] of found) {
      const { value, input } = begin(builder, name, monitoring.typeOf(name, like));
      current.set(name, value);
      if (input !== undefined) inputs.push(input);
    }
  });
  const ops = monitoring.thread(program.ops, current);
  const outputs = [...current].map(([name, value]): ProgramOutput => ({ name: outputName(name), value }));
  return {
    ...builder.finish([...program.inputs, ...inputs], [...program.outputs, ...outputs]),
    ops: [...started, ...ops],
  };
}

/** Looks at a whole step. */
export const monitorStep = (program: Program): Program => {
  const gradients = finalGradients(() => true);
  const both: Watch = (op, typeOf) => attentionLogits(op, typeOf) ?? gradients(op, typeOf);
  return monitor(program, both, atZero, (name) => name);
};

/** Looks at the forward pass of a pipeline's slot: goes on, as sums do, from what the stage's slots before it saw. */
export const monitorSlot = (program: Program): Program =>
  monitor(program, attentionLogits, fromSum, (name) => `sum:${name}`);

/**
 * Looks at the updates of a pipeline's stage.
 *
 * @param others parameters whose gradients another stage counts
 */
export const monitorUpdate = (program: Program, others: ReadonlySet<string>): Program =>
  monitor(
    program,
    finalGradients((parameter) => !others.has(parameter)),
    atZero,
    (name) => name,
  );
