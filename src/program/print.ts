/** The program as text: its public face. One line an op, `%12 = all_gather %11 axis=model dimension=1 : bf16[64,256]{data: 0}`. */
import { formatMesh, formatStates } from '../mesh/index.js';
import { attributesOf } from './builder.js';
import type { Op, Program, ProgramInput, ValueId, ValueType } from './types.js';

export const formatType = ({ shape, dtype, states, stack }: ValueType): string =>
  `${stack === undefined ? '' : `${stack}×`}${dtype}[${shape.join(',')}]${formatStates(states)}`;

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
  reverse: false,
  offset: 0,
  stride: 0,
};

const formatAttributes = (op: Op): string =>
  Object.entries(op.attributes)
    .filter(([key, value]) => USUAL[key] !== value)
    .map(([key, value]) => ` ${key}=${formatAttribute(value)}`)
    .join('');

const list = (ids: readonly ValueId[]): string => ids.map((id) => `%${id}`).join(' ');

function inputName(input: ProgramInput): string {
  if (input.kind === 'optimizer') return `${input.parameter}:${input.slot}`;
  return input.name;
}

export function print(program: Program): string {
  const type = (id: ValueId): string => formatType(program.values[id]!.type);
  const lines: string[] = [`program mesh(${formatMesh(program.mesh)})`];

  const printOp = (op: Op, indent: string): void => {
    // A kernel of one op is printed as that op, under the kernel's id.
    if (op.name === 'kernel' && op.region!.ops.length === 1) {
      printOp({ ...op.region!.ops[0]!, id: op.id }, indent);
      return;
    }
    const results = op.results.length === 0 ? '' : `${list(op.results)} = `;
    const types = op.results.map(type).join(', ');
    if (op.region === undefined) {
      const name = op.asynchronous === true ? `async ${op.name}` : op.name;
      lines.push(`${indent}${results}${name} ${list(op.operands)}${formatAttributes(op)} : ${types}  # ${op.id}`);
      return;
    }
    if (op.name === 'kernel') {
      lines.push(`${indent}kernel ${list(op.operands)} -> ${list(op.results)} {  # ${op.id}`);
    } else if (op.name === 'manual') {
      const args = op.region.args.map((id, index) => `%${id} = %${op.operands[index]}`);
      const { axis } = attributesOf(op, 'manual');
      lines.push(`${indent}${results}manual ${axis} (${args.join(', ')}) : ${types} {  # ${op.id}`);
    } else {
      const { count, carried, reverse, first } = attributesOf(op, 'repeat');
      const args = op.region.args.map(
        (id, index) => `%${id} ${index < carried ? '=' : 'in'} %${op.operands[index]} : ${type(id)}`,
      );
      lines.push(
        `${indent}${results}repeat ${count}${first ? ` from ${first}` : ''}${reverse ? ' reverse' : ''} (  # ${op.id}`,
      );
      args.forEach((arg) => lines.push(`${indent}    ${arg}`));
      lines.push(`${indent}) {`);
    }
    if (op.region.ahead) {
      lines.push(`${indent}  ahead ${op.region.ahead.by} {`);
      op.region.ahead.ops.forEach((inner) => printOp(inner, `${indent}    `));
      lines.push(`${indent}  }`);
    }
    op.region.ops.forEach((inner) => printOp(inner, `${indent}  `));
    if (op.name !== 'kernel') lines.push(`${indent}  yield ${list(op.region.results)}`);
    lines.push(`${indent}}`);
  };

  for (const input of program.inputs)
    lines.push(`  %${input.value} = ${input.kind} ${inputName(input)} : ${type(input.value)}`);
  program.ops.forEach((op) => printOp(op, '  '));
  for (const { name, value } of program.outputs) lines.push(`  return ${name} %${value} : ${type(value)}`);
  return `${lines.join('\n')}\n`;
}
