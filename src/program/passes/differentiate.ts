/**
 * Reverse-mode differentiation over the op records' rules. Every cotangent has the dual state of its value (sharded
 * stays, replicated becomes partial and the other way round), which is checked as it is made: this is what keeps
 * gradients through collectives right.
 *
 * A repeated region becomes a second one that runs backward; what it needs of the forward pass is stacked by the first
 * (residuals) or made again, as `residuals.ts` says.
 */
import { axisSize, dualStates, sameStates, stateOf } from '../../mesh/index.js';
import type { AxisName } from '../../mesh/index.js';
import { Builder, attributesOf } from '../builder.js';
import type { VjpContext } from '../ops/index.js';
import { invalid, isCollective, isCompute, recordOf } from '../ops/index.js';
import type {
  Op,
  ParameterInput,
  PortInput,
  Program,
  ProgramInput,
  ProgramOutput,
  ValueId,
  ValueType,
} from '../types.js';
import { unstacked } from '../types.js';
import type { Keeping } from './keeping.js';
import { KEEP_LEAST } from './keeping.js';
import type { Rematerialization, ResidualPolicy, Visible } from './residuals.js';
import { Residuals } from './residuals.js';

/** Values that depend on a parameter or on what another stage sends. */
function dependents(program: Program): Set<ValueId> {
  const found = new Set(program.inputs.flatMap((input) => (isWanted(input) ? [input.value] : [])));
  const visit = (op: Op): void => {
    const { region } = op;
    if (op.name !== 'repeat' || region === undefined) {
      if (op.operands.some((id) => found.has(id))) op.results.forEach((id) => found.add(id));
      return;
    }
    const { carried } = attributesOf(op, 'repeat');
    op.operands.forEach((id, index) => found.has(id) && found.add(region.args[index]!));
    for (let before = -1; before !== found.size;) {
      before = found.size;
      region.ops.forEach(visit);
      for (let index = 0; index < carried; index++)
        if (found.has(region.results[index]!)) found.add(region.args[index]!);
    }
    region.results.forEach((id, index) => found.has(id) && found.add(op.results[index]!));
  };
  program.ops.forEach(visit);
  return found;
}

const isWanted = (input: ProgramInput): input is ParameterInput | PortInput =>
  input.kind === 'parameter' || input.kind === 'port';

/** The loss of logits, with the cast that it takes them in. */
const isOfLoss = (id: string): boolean => id.startsWith('loss/') || id === 'widen';

const SENT = 'send:';

/** The port through which the cotangent of what went through another one comes back. */
const cotangentOf = (port: string): string => `${port}-cotangent`;

/** The block that backward ops are emitted into, with the cotangents of forward values. */
interface Scope extends Visible {
  readonly cotangents: Map<ValueId, ValueId>;
  /** What was gathered, by the gather and its operands: whoever needs it too reads it. */
  readonly gathered: Map<string, ValueId[]>;
}

/** What is started and not waited for, and needs nothing of the iteration but what it is given, comes first. */
function startEarly(ops: readonly Op[], args: readonly ValueId[]): Op[] {
  const given = new Set(args);
  const early = new Set(ops.filter((op) => op.asynchronous === true && op.operands.every((id) => given.has(id))));
  return [...early, ...ops.filter((op) => !early.has(op))];
}

class Differentiation {
  readonly builder: Builder;
  readonly #depends: Set<ValueId>;
  /** Values of the forward pass, those that residuals add included. */
  readonly #forward: Set<ValueId>;
  /** Forward repeats that also stack residuals, in place of the original ones. */
  readonly replaced = new Map<Op, Op>();

  /** Gradients of parts of stacks, by the stack: repeats over some of its elements give them one by one. */
  readonly #pieces = new Map<ValueId, { readonly first: number; readonly value: ValueId }[]>();
  readonly #policyOf: (op: Op) => ResidualPolicy;

  constructor(program: Program, policyOf: (op: Op) => ResidualPolicy) {
    this.#policyOf = policyOf;
    this.builder = Builder.from(program);
    this.builder.reserve(program.ops);
    this.#depends = dependents(program);
    this.#forward = new Set(program.values.keys());
  }

  dual(value: ValueId): ValueType {
    const { shape, dtype, states } = this.builder.type(value);
    return { shape, dtype, states: dualStates(this.builder.mesh, states) };
  }

  zero(value: ValueId, id: string): ValueId {
    const { shape, dtype, states } = this.dual(value);
    return this.builder.emit('constant', [], { shape, dtype, states, value: 0 }, { id, phase: 'backward' });
  }

  #accumulate(scope: Scope, value: ValueId, cotangent: ValueId, id: string): void {
    const expected = dualStates(this.builder.mesh, this.builder.type(value).states);
    const got = this.builder.type(cotangent).states;
    if (!sameStates(expected, got)) {
      throw invalid(`${id}, cotangent of %${value}`, JSON.stringify(expected), JSON.stringify(got));
    }
    const before = scope.cotangents.get(value);
    const total =
      before === undefined
        ? cotangent
        : this.builder.emit('add', [before, cotangent], {}, { id: `${id}#accumulate`, phase: 'backward' });
    scope.cotangents.set(value, total);
  }

  #context(op: Op, scope: Scope): VjpContext {
    const { builder } = this;
    const visible = (ids: readonly ValueId[]) => ids.map((id) => (this.#forward.has(id) ? scope.resolve(id) : id));
    const emitAll: VjpContext['emitAll'] = (name, operands, attributes, tag) => {
      if (!isCompute(name) && !isCollective(name)) throw invalid(op.id, 'a gradient of plain ops', name);
      const values = visible(operands);
      const key = name === 'all_gather' ? JSON.stringify([values, attributes]) : undefined;
      const found = key === undefined ? undefined : scope.gathered.get(key);
      if (found !== undefined) return found;
      const results = builder.emitAll(name, values, attributes as never, { id: `${op.id}#${tag}`, phase: 'backward' });
      if (key !== undefined) scope.gathered.set(key, results);
      return results;
    };
    return {
      mesh: builder.mesh,
      wants: (index) => this.#depends.has(op.operands[index]!),
      type: (value) => builder.type(value),
      emitAll,
      emit: (name, operands, attributes, tag) => emitAll(name, operands, attributes, tag)[0]!,
    };
  }

  backward(ops: readonly Op[], scope: Scope): void {
    for (const op of ops.toReversed()) {
      const cotangents = op.results.map((result) => scope.cotangents.get(result));
      if (cotangents.every((cotangent) => cotangent === undefined) || !op.results.some((id) => this.#depends.has(id)))
        continue;
      if (op.name === 'repeat') {
        this.#backwardRepeat(op, cotangents, scope);
        continue;
      }
      const record = isCompute(op.name) || isCollective(op.name) ? recordOf(op.name) : undefined;
      if (record?.vjp === undefined) throw invalid(op.id, 'an op with a gradient rule', op.name);
      record.vjp(this.#context(op, scope), op as never, cotangents).forEach((cotangent, index) => {
        const operand = op.operands[index]!;
        if (cotangent !== undefined && this.#depends.has(operand)) this.#accumulate(scope, operand, cotangent, op.id);
      });
    }
  }

  #backwardRepeat(op: Op, cotangents: readonly (ValueId | undefined)[], outer: Scope): void {
    const { builder } = this;
    const region = op.region!;
    const { count, carried, reverse, first } = attributesOf(op, 'repeat');
    const wanted = region.args.map((arg) => this.#depends.has(arg));
    const args: ValueId[] = [];
    const operands: ValueId[] = [];
    const seeds: [ValueId, ValueId][] = [];
    const enter = (type: ValueType, operand: ValueId): ValueId => {
      const arg = builder.value(type, 'activation');
      args.push(arg);
      operands.push(operand);
      return arg;
    };
    const carriedWanted = region.args.slice(0, carried).flatMap((_, index) => (wanted[index] ? [index] : []));
    for (const index of carriedWanted) {
      const operand = cotangents[index] ?? this.zero(op.results[index]!, `${op.id}#backward-start`);
      seeds.push([region.results[index]!, enter(this.dual(region.args[index]!), operand)]);
    }
    cotangents.forEach((cotangent, index) => {
      if (index >= carried && cotangent !== undefined) {
        seeds.push([region.results[index]!, enter(unstacked(builder.type(cotangent)), cotangent)]);
      }
    });
    const residuals = new Residuals(this, op, outer, this.#policyOf(op), (element, stack) =>
      enter(unstacked(element), stack),
    );
    const scope: Scope = { cotangents: new Map(), gathered: new Map(), resolve: (value) => residuals.resolve(value) };
    const { ops, result: results } = builder.block(() => {
      for (const [value, cotangent] of seeds) this.#accumulate(scope, value, cotangent, op.id);
      this.backward(region.ops, scope);
      residuals.replay();
      const ofArg = (index: number) =>
        scope.cotangents.get(region.args[index]!) ?? this.zero(region.args[index]!, `${op.id}#backward-zero`);
      return [
        ...carriedWanted.map(ofArg),
        ...region.args.flatMap((_, index) => (index >= carried && wanted[index] ? [ofArg(index)] : [])),
      ];
    });
    for (const value of scope.cotangents.keys()) {
      if (!residuals.isInside(value))
        throw invalid(op.id, 'parameters passed to the region', `%${value} used from around it`);
    }
    this.replaced.set(op, residuals.extended());
    const opResults = results.map((id, index) => {
      const type = builder.type(id);
      return builder.value(index < carriedWanted.length ? type : { ...type, stack: count }, 'activation');
    });
    builder.push({
      name: 'repeat',
      id: `${op.id}#backward`,
      phase: 'backward',
      operands,
      results: opResults,
      attributes: {
        count,
        carried: carriedWanted.length,
        reverse: !reverse,
        ...(first === undefined ? {} : { first }),
      },
      region: { args, ops: startEarly(ops, args), results },
    });
    const indices = [
      ...carriedWanted,
      ...region.args.flatMap((_, index) => (index >= carried && wanted[index] ? [index] : [])),
    ];
    indices.forEach((index, position) => {
      const operand = op.operands[index]!;
      if (!this.#depends.has(operand)) return;
      const gradient = opResults[position]!;
      if (index < carried) {
        this.#accumulate(outer, operand, gradient, op.id);
        return;
      }
      builder.assignRole(gradient, 'gradient');
      builder.assignRole(results[position]!, 'gradient');
      this.#pieces.set(operand, [...(this.#pieces.get(operand) ?? []), { first: first ?? 0, value: gradient }]);
    });
  }

  /** The whole stacks' gradients, once every repeat has given its part. */
  joinPieces(scope: Scope): void {
    const { builder } = this;
    for (const [stack, pieces] of this.#pieces) {
      pieces.sort((a, b) => a.first - b.first);
      let next = 0;
      for (const { first, value } of pieces) {
        if (first !== next) throw invalid('differentiate', 'one use of each element of a stack', `%${stack}`);
        next += builder.type(value).stack!;
      }
      const [only] = pieces;
      let whole = only!.value;
      if (pieces.length > 1) {
        whole = builder.value({ ...builder.type(whole), stack: next }, 'gradient');
        builder.push({
          name: 'join_stacks',
          id: `join/${builder.nameOf(stack) ?? stack}`,
          phase: 'backward',
          operands: pieces.map(({ value }) => value),
          results: [whole],
          attributes: {},
        });
      }
      this.#accumulate(scope, stack, whole, `join/${stack}`);
    }
  }

  /**
   * The modules around layers once more, the loss aside.
   *
   * @returns what of the forward pass was made again, as it was
   */
  replayModules(ops: readonly Op[]): ReadonlyMap<ValueId, ValueId> {
    const again = new Map<ValueId, ValueId>();
    for (const { name, id, operands, results, attributes } of ops) {
      if (!isCompute(name) && !isCollective(name)) continue;
      if (!results.some((result) => this.#depends.has(result)) || isOfLoss(id)) continue;
      const options = {
        id: `${id}#again`,
        phase: 'backward' as const,
        role: this.builder.role(results[0]!),
        unread: true,
      };
      const inputs = operands.map((operand) => again.get(operand) ?? operand);
      const made = this.builder.emitAll(name, inputs, attributes as never, options);
      results.forEach((result, index) => again.set(result, made[index]!));
    }
    return again;
  }

  /** Marks a value made for the backward pass by the forward one. */
  addForward(value: ValueId): void {
    this.#forward.add(value);
  }
}

export interface DifferentiateOptions {
  /** What a repeat of layers makes again instead of keeping; nothing but what is free unless given. */
  readonly rematerialize?: (op: Op) => Rematerialization;
  /** Ids of matmuls of layers whose products are kept all the same; none unless given. */
  readonly kept?: ReadonlySet<string>;
  /** Whether attention's backward kernel makes scores again by itself; not unless given. */
  readonly fusedAttention?: boolean;
  /** What is kept that could be made again without arithmetic; the least unless given. */
  readonly keeping?: Keeping;
  /** A scalar of the loss' type that all gradients are multiplied by. */
  readonly scale?: ValueId;
}

/** The cotangent of a loss: 1, times the scale where there is one. */
function seedLoss(pass: Differentiation, loss: ValueId, scale: ValueId | undefined): ValueId {
  const { builder } = pass;
  const { dtype, shape, states } = pass.dual(loss);
  // The ranks' terms of a partial seed have to add up to 1.
  const terms = builder.mesh.axes.reduce(
    (product, { name }) =>
      stateOf(states, name as AxisName) === 'partial' ? product * axisSize(builder.mesh, name) : product,
    1,
  );
  const attributes = { shape, dtype, states, value: 1 / terms };
  const seed = builder.emit('constant', [], attributes, { id: 'loss#seed', phase: 'backward' });
  const options = { id: 'loss#scale', phase: 'backward' as const };
  return scale === undefined ? seed : builder.emit('multiply', [seed, scale], {}, options);
}

/**
 * Adds the backward pass to a forward program with an output `loss` (a scalar): one output `gradient:NAME` for each
 * parameter, of the dual state (partial over the axes that the parameter is replicated over).
 *
 * Of a pipeline's stage, what is sent as `send:NAME` has its cotangent come in through a port `NAME-cotangent`, and what
 * comes in through a port `NAME` has its cotangent sent as `send:NAME-cotangent`, both as they are, in the dual state:
 * where the stream is replicated over an axis each rank sends its term of a pending sum to the rank of its coordinates,
 * which goes on with it as it would without the cut. Completing the sum first would take a collective that nothing else
 * needs, and every rank would send as much.
 *
 * @throws MeshwrightError PROGRAM_INVALID when a parameter does not affect the loss or an op has no gradient
 */
export function differentiate(program: Program, options: DifferentiateOptions = {}): Program {
  const { rematerialize = () => 'none', kept = new Set(), fusedAttention = false, keeping = KEEP_LEAST } = options;
  const pass = new Differentiation(program, (op) => ({
    rematerialize: rematerialize(op),
    kept,
    fusedAttention,
    keeping,
  }));
  const { builder } = pass;
  const loss = program.outputs.find(({ name }) => name === 'loss')?.value;
  const sent = program.outputs.filter(({ name }) => name.startsWith(SENT));
  if (loss === undefined && sent.length === 0) throw invalid('differentiate', 'an output named loss', 'none');
  const returned = sent.map(({ name, value }): ProgramInput => {
    const port = cotangentOf(name.slice(SENT.length));
    return { kind: 'port', name: port, value: builder.value(pass.dual(value), 'activation', port) };
  });
  const isReplayed =
    keeping.replays &&
    keeping.modules &&
    program.ops.some((op) => op.name === 'repeat' && rematerialize(op) === 'full');
  const again = new Map<ValueId, ValueId>();
  const scope: Scope = { cotangents: new Map(), gathered: new Map(), resolve: (value) => again.get(value) ?? value };
  const { ops } = builder.block(() => {
    if (isReplayed) pass.replayModules(program.ops).forEach((made, value) => again.set(value, made));
    if (loss !== undefined) scope.cotangents.set(loss, seedLoss(pass, loss, options.scale));
    sent.forEach(({ value }, index) => scope.cotangents.set(value, returned[index]!.value));
    pass.backward(program.ops, scope);
    pass.joinPieces(scope);
  });
  const gradients = program.inputs.filter(isWanted).map((input): ProgramOutput => {
    const value = scope.cotangents.get(input.value);
    if (value === undefined) throw invalid('differentiate', 'a loss that depends on every parameter', input.name);
    if (input.kind === 'port') return { name: `${SENT}${cotangentOf(input.name)}`, value };
    builder.assignRole(value, 'gradient');
    return { name: `gradient:${input.name}`, value };
  });
  const forward = program.ops.map((op) => pass.replaced.get(op) ?? op);
  const inputs = [...program.inputs, ...returned];
  return { ...builder.finish(inputs, [...program.outputs, ...gradients]), ops: [...forward, ...ops] };
}
