/**
 * Re-derives every type and checks every use of a program. Each pass' result goes through it, so that what a pass left
 * as it was is not derived again.
 */
import { axisSize, sameStates, withState } from '../mesh/index.js';
import type { AxisName } from '../mesh/index.js';
import { attributesOf } from './builder.js';
import type { ComputeName } from './ops/index.js';
import { inferTypes, invalid, isCompute, isTransfer } from './ops/index.js';
import type { Op, Program, Region, ValueId, ValueType } from './types.js';
import { isState, stateKey, unstacked } from './types.js';

const formatType = (type: ValueType): string =>
  `${type.stack === undefined ? '' : `${type.stack}×`}${type.dtype}[${type.shape.join(',')}]${JSON.stringify(type.states)}${type.memory === undefined ? '' : '@host'}`;

export const sameType = (a: ValueType, b: ValueType): boolean =>
  a.dtype === b.dtype &&
  a.stack === b.stack &&
  a.memory === b.memory &&
  a.shape.length === b.shape.length &&
  (a.shape === b.shape || a.shape.every((size, index) => size === b.shape[index])) &&
  (a.states === b.states || sameStates(a.states, b.states));

/** Of ops whose results were derived: the types of their operands and results, which are what they were derived from and to. */
export type Derived = Map<Op, readonly ValueType[]>;

/**
 * Checks that values are defined once and before use, ids are unique, types are what the op records infer, and
 * updated parameters have the type of the parameters.
 *
 * @param derived of earlier versions of the program, on the same mesh; ops are added to it
 * @returns the program itself, so that a pass can be wrapped: `verify(fuse(program))`
 * @throws MeshwrightError PROGRAM_INVALID naming the op
 */
export function verify(program: Program, derived: Derived = new Map()): Program {
  const { mesh, values } = program;
  const type = (id: ValueId): ValueType => values[id]!.type;
  /** In the order of their definition, those in scope; and the same by value. */
  const scope: ValueId[] = [];
  const defined = new Uint8Array(values.length);
  const ids = new Set<string>();

  const expectSame = (place: string, expected: ValueType, got: ValueType): void => {
    if (!sameType(expected, got)) throw invalid(place, formatType(expected), formatType(got));
  };

  const define = (id: ValueId, place: string): void => {
    if (values[id] === undefined) throw invalid(place, 'a declared value', `%${id}`);
    if (defined[id] === 1) throw invalid(place, 'one definition of each value', `a second one of %${id}`);
    defined[id] = 1;
    scope.push(id);
    checkType(place, type(id));
  };

  const checkType = (place: string, { shape, states }: ValueType): void => {
    if (!shape.every((size) => Number.isInteger(size) && size > 0))
      throw invalid(place, 'whole, positive sizes', `[${shape.join(',')}]`);
    for (const axis in states) {
      const state = states[axis as AxisName];
      if (axisSize(mesh, axis as AxisName) === 1) throw invalid(place, 'states on axes of the mesh', axis);
      if (typeof state === 'number' && state >= shape.length)
        throw invalid(place, 'a dimension of the value', String(state));
    }
  };

  const use = (id: ValueId, place: string): void => {
    if (defined[id] !== 1) throw invalid(place, 'values defined before their use, in scope', `%${id}`);
  };

  /** @param carried how many of the arguments ops that are issued early may not read */
  const checkRegion = (op: Op, region: Region, carried: number, check: () => void): void => {
    // What a region defines is not visible after it.
    const outer = scope.length;
    region.args.slice(carried).forEach((id) => define(id, op.id));
    region.ahead?.ops.forEach(checkOp);
    region.args.slice(0, carried).forEach((id) => define(id, op.id));
    region.ops.forEach(checkOp);
    region.results.forEach((id) => use(id, `${op.id}, region results`));
    check();
    while (scope.length > outer) defined[scope.pop()!] = 0;
  };

  const checkRepeat = (op: Op): void => {
    const { region } = op;
    const { count, carried, first = 0 } = attributesOf(op, 'repeat');
    if (region === undefined) throw invalid(op.id, 'a region', 'none');
    const ahead = region.ahead?.by ?? 1;
    if (!Number.isInteger(ahead) || ahead < 1) throw invalid(op.id, 'at least 1 iteration ahead', String(ahead));
    const element = (id: ValueId, made: boolean): ValueType => {
      const { stack } = type(id);
      if (stack !== count && (made || stack === undefined || stack < first + count))
        throw invalid(op.id, `a stack of ${count}${made ? '' : ` or at least ${first + count}`}`, formatType(type(id)));
      return unstacked(type(id));
    };
    const match = (outside: readonly ValueId[], inside: readonly ValueId[], what: 'argument' | 'result'): void => {
      if (outside.length !== inside.length)
        throw invalid(`${op.id}, ${what}`, `${outside.length} values`, String(inside.length));
      outside.forEach((id, index) => {
        const expected = index < carried ? type(id) : element(id, what === 'result');
        expectSame(`${op.id}, ${what} ${index}`, expected, type(inside[index]!));
      });
    };
    checkRegion(op, region, carried, () => {
      match(op.operands, region.args, 'argument');
      match(op.results, region.results, 'result');
      for (let index = 0; index < carried; index++) {
        expectSame(`${op.id}, carried ${index}`, type(op.operands[index]!), type(op.results[index]!));
      }
    });
  };

  const checkKernel = (op: Op): void => {
    const { region } = op;
    if (region === undefined || region.args.length > 0) throw invalid(op.id, 'a region without arguments', 'another');
    if (region.ops.some((inner) => !isCompute(inner.name))) throw invalid(op.id, 'compute ops in a kernel', 'others');
    const reads = new Set(op.operands);
    const inside = new Set(region.ops.flatMap((inner) => inner.results));
    for (const operand of region.ops.flatMap((inner) => inner.operands)) {
      if (!inside.has(operand) && !reads.has(operand))
        throw invalid(op.id, `%${operand} among the kernel's operands`, 'not');
    }
    // A kernel's results are values of its region, seen from outside under the same id.
    checkRegion(op, region, 0, () => undefined);
    if (op.results.some((id) => !inside.has(id))) throw invalid(op.id, 'results made in the kernel', 'another value');
  };

  const checkManual = (op: Op): void => {
    const { region } = op;
    const { axis } = attributesOf(op, 'manual');
    if (region === undefined) throw invalid(op.id, 'a region', 'none');
    if (axisSize(mesh, axis) === 1) throw invalid(op.id, 'an axis of the mesh', axis);
    const without = (id: ValueId): ValueType => ({
      ...type(id),
      states: withState(mesh, type(id).states, axis, 'replicated'),
    });
    const match = (outside: readonly ValueId[], inside: readonly ValueId[], what: string): void => {
      if (outside.length !== inside.length)
        throw invalid(`${op.id}, ${what}s`, `${outside.length} values`, String(inside.length));
      outside.forEach((id, index) => expectSame(`${op.id}, ${what} ${index}`, without(id), type(inside[index]!)));
    };
    checkRegion(op, region, 0, () => {
      match(op.operands, region.args, 'argument');
      match(op.results, region.results, 'result');
    });
  };

  const checkJoin = (op: Op): void => {
    const [first] = op.operands;
    if (first === undefined) throw invalid(op.id, 'stacks', 'none');
    const length = op.operands.reduce((total, id) => {
      if (type(id).stack === undefined) throw invalid(op.id, 'stacks', formatType(type(id)));
      expectSame(op.id, unstacked(type(first)), unstacked(type(id)));
      return total + type(id).stack!;
    }, 0);
    expectSame(op.id, { ...type(first), stack: length }, type(op.results[0]!));
  };

  const checkElement = (op: Op): void => {
    const stack = type(op.operands[0]!);
    const { index } = attributesOf(op, 'element');
    if (stack.stack === undefined || index < 0 || index >= stack.stack)
      throw invalid(op.id, `a stack of more than ${index}`, formatType(stack));
    expectSame(op.id, unstacked(stack), type(op.results[0]!));
  };

  const isDerived = ({ operands, results }: Op, types: readonly ValueType[]): boolean =>
    operands.every((id, index) => type(id) === types[index]) &&
    results.every((id, index) => type(id) === types[operands.length + index]);

  const checkTypes = (op: Op): void => {
    const known = derived.get(op);
    if (known !== undefined && isDerived(op, known)) return;
    const operands = op.operands.map(type);
    const inferred = inferTypes(op.name as ComputeName, operands, op.attributes as never, mesh);
    if (inferred.length !== op.results.length)
      throw invalid(op.id, `${inferred.length} results`, String(op.results.length));
    inferred.forEach((expected, index) => expectSame(op.id, expected, type(op.results[index]!)));
    derived.set(op, [...operands, ...op.results.map(type)]);
  };

  const checkOp = (op: Op): void => {
    if (ids.has(op.id)) throw invalid(op.id, 'unique ids', 'a second op of this id');
    ids.add(op.id);
    if (op.asynchronous === true && !isTransfer(op.name))
      throw invalid(op.id, 'a collective or a transfer, to be asynchronous', op.name);
    if (op.queued === true && op.asynchronous !== true) throw invalid(op.id, 'asynchronous, to be queued', 'neither');
    op.operands.forEach((id) => use(id, op.id));
    if (op.name === 'repeat') checkRepeat(op);
    else if (op.name === 'kernel') checkKernel(op);
    else if (op.name === 'manual') checkManual(op);
    else if (op.name === 'join_stacks') checkJoin(op);
    else if (op.name === 'element') checkElement(op);
    else checkTypes(op);
    op.results.forEach((id) => define(id, op.id));
  };

  for (const input of program.inputs) define(input.value, `input ${input.kind}`);
  program.ops.forEach(checkOp);
  for (const { name, value } of program.outputs) use(value, `output ${name}`);
  const state = new Map(program.inputs.filter(isState).map((input) => [stateKey(input), input.value] as const));
  for (const { name, value } of program.outputs) {
    const replaced = state.get(name);
    if (replaced !== undefined) expectSame(`output ${name}`, type(replaced), type(value));
  }
  return program;
}
