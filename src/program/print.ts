/**
 * The program as text: its public face. One line an op, `%12 = all_gather %11 axis=model dimensions=[1] :
 * bf16[64,256]{data: 0}  # id`; what is indented under a line is its region. docs/program.md says how to read it.
 */
import type { AxisName } from '../mesh/index.js';
import { formatMesh, formatStates } from '../mesh/index.js';
import { attributesOf } from './builder.js';
import type { OpName } from './ops/index.js';
import type { Op, Program, ProgramInput, ValueId, ValueType } from './types.js';
import { regionOps } from './types.js';

export const formatType = ({ shape, dtype, states, stack, memory }: ValueType): string =>
  `${stack === undefined ? '' : `${stack}×`}${dtype}[${shape.join(',')}]${formatStates(states)}${memory === undefined ? '' : `@${memory}`}`;

const formatAttribute = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.join(',')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, inner]) => `${key}: ${String(inner)}`)
      .join(', ')}}`;
  return String(value);
};

/** Attributes at their usual value say nothing. */
const USUAL: Readonly<Record<string, unknown>> = {
  transposeA: false,
  transposeB: false,
  scale: 1,
  offset: 0,
  stride: 0,
  inverse: false,
};

/** Attributes that the result's type says again. */
const SAID_BY_TYPE: Readonly<Partial<Record<OpName, readonly string[]>>> = {
  constant: ['shape', 'dtype', 'states'],
  cast: ['dtype'],
  expand: ['sizes', 'states'],
};

const LINE_LENGTH = 120;

/** Values that are written out where they are read. */
type Inlined = ReadonlyMap<ValueId, string>;

const NONE: Inlined = new Map();

/** Runs of three and more are written by their ends: `%4…%9`. */
function list(ids: readonly ValueId[], inlined = NONE): string {
  const words: string[] = [];
  for (let start = 0; start < ids.length;) {
    let end = start;
    while (ids[end + 1] === ids[end]! + 1 && !inlined.has(ids[end + 1]!)) end++;
    const first = ids[start]!;
    if (inlined.has(first) || end - start < 2) {
      words.push(inlined.get(first) ?? `%${first}`);
      start++;
    } else {
      words.push(`%${first}…%${ids[end]}`);
      start = end + 1;
    }
  }
  return words.join(' ');
}

/** As many on a line as fit. */
function pack(items: readonly string[]): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last === undefined || last.length + item.length > LINE_LENGTH) lines.push(item);
    else lines[lines.length - 1] = `${last} ${item}`;
  }
  return lines;
}

const readsInside = (op: Op, id: ValueId): boolean =>
  op.operands.includes(id) ||
  (op.region !== undefined &&
    (op.region.results.includes(id) || regionOps(op.region).some((inner) => readsInside(inner, id))));

/** Whether an op is a `take` for the op after it alone, which lists its operands. */
function isForNext(ops: readonly Op[], index: number, results: readonly ValueId[]): boolean {
  const [op, next] = [ops[index]!, ops[index + 1]];
  if (op.name !== 'take' || next === undefined || (next.region !== undefined && next.name !== 'kernel')) return false;
  const [block] = op.results;
  const others = ops.slice(index + 2);
  return next.operands.includes(block!) && !results.includes(block!) && !others.some((one) => readsInside(one, block!));
}

function inputName(input: ProgramInput): string {
  if (input.kind === 'optimizer') return `${input.parameter}:${input.slot}`;
  return input.name;
}

/** The lines of ops. */
function printOpsOf({ values }: Program, topLevel: readonly Op[], outerIndent: string): string[] {
  const type = (id: ValueId): string => formatType(values[id]!.type);
  const lines: string[] = [];

  const types = (ids: readonly ValueId[]): string => {
    const all = ids.map(type);
    return all.length > 1 && all.every((other) => other === all[0]) ? `each ${all[0]}` : all.join(', ');
  };

  /** @param manual the axis of the manual region around the op, which its ops need not name */
  const attributes = (op: Op, manual: AxisName | undefined): string =>
    Object.entries(op.attributes)
      .filter(([key, value]) => USUAL[key] !== value && value !== undefined)
      .filter(([key]) => SAID_BY_TYPE[op.name]?.includes(key) !== true)
      .filter(([key, value]) => key !== 'axis' || value !== manual)
      .map(([key, value]) => ` ${key}=${formatAttribute(value)}`)
      .join('');

  const printOps = (ops: readonly Op[], indent: string, results: readonly ValueId[], manual?: AxisName): void => {
    let inlined = NONE;
    ops.forEach((op, index) => {
      if (isForNext(ops, index, results)) {
        const text = `(%${op.results[0]} = take ${list(op.operands)}${attributes(op, manual)})`;
        inlined = new Map([[op.results[0]!, text]]);
        return;
      }
      printOne(op, indent, manual, inlined);
      inlined = NONE;
    });
  };

  const printOne = (op: Op, indent: string, manual?: AxisName, inlined = NONE): void => {
    const { region } = op;
    // A kernel of one op is printed as that op, under the kernel's id.
    if (op.name === 'kernel' && region!.ops.length === 1) {
      printOne({ ...region!.ops[0]!, id: op.id }, indent, manual, inlined);
      return;
    }
    const operands = op.operands.length === 0 ? '' : ` ${list(op.operands, inlined)}`;
    const results = op.results.length === 0 ? '' : `${list(op.results)} = `;
    if (region === undefined) {
      const name = op.queued === true ? `queued ${op.name}` : op.asynchronous === true ? `async ${op.name}` : op.name;
      const text = `${name}${operands}${attributes(op, manual)}`;
      lines.push(`${indent}${results}${text} : ${types(op.results)}  # ${op.id}`);
      return;
    }
    const inside = `${indent}  `;
    if (op.name === 'kernel') {
      lines.push(`${indent}kernel${operands} -> ${list(op.results)}  # ${op.id}`);
      printOps(region.ops, inside, region.results, manual);
      return;
    }
    let axis = manual;
    if (op.name === 'manual') {
      ({ axis } = attributesOf(op, 'manual'));
      const args = region.args.map((id, index) => `%${id} = %${op.operands[index]}`).join(', ');
      lines.push(`${indent}${results}manual ${axis} (${args}) : ${types(op.results)}  # ${op.id}`);
    } else {
      const { count, carried, reverse, first } = attributesOf(op, 'repeat');
      const what = `repeat ${count}${first ? ` from ${first}` : ''}${reverse ? ' reverse' : ''}`;
      const args = region.args.map((id, index) => `%${id} ${index < carried ? '=' : 'in'} %${op.operands[index]}`);
      // In a ring all types stand close by.
      if (manual !== undefined) lines.push(`${indent}${results}${what} (${args.join(', ')})  # ${op.id}`);
      else {
        lines.push(`${indent}${results}${what}  # ${op.id}`);
        const typed = args.map((arg, index) => `${arg} : ${type(region.args[index]!)}`);
        pack(typed.map((arg) => `(${arg})`)).forEach((line) => lines.push(`${indent}    ${line}`));
      }
    }
    if (region.ahead) {
      lines.push(`${inside}ahead ${region.ahead.by}`);
      printOps(region.ahead.ops, `${inside}  `, [], axis);
    }
    printOps(region.ops, inside, region.results, axis);
    lines.push(`${inside}yield ${list(region.results)}`);
  };

  printOps(topLevel, outerIndent, []);
  return lines;
}

export function print(program: Program): string {
  const type = (id: ValueId): string => formatType(program.values[id]!.type);
  const lines = [
    `program mesh(${formatMesh(program.mesh)})`,
    ...program.inputs.map((input) => `  %${input.value} = ${input.kind} ${inputName(input)} : ${type(input.value)}`),
    ...printOpsOf(program, program.ops, '  '),
    ...program.outputs.map(({ name, value }) => `  return ${name} %${value} : ${type(value)}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** One op of a program with what is in it, a layer say. */
export const printOp = (program: Program, op: Op): string => `${printOpsOf(program, [op], '').join('\n')}\n`;
