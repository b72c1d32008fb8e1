/**
 * Cuts a forward program into stages: what comes before the repeat over layers belongs to the first, what comes after it
 * to the last. Nothing is known of the model but the dataflow. What both ends read (a tied embedding table and its cast)
 * both have.
 */
import { Builder, attributesOf } from '../builder.js';
import { invalid } from '../ops/index.js';
import { reads } from '../passes/fuse.js';
import { substitute } from '../passes/regions.js';
import type { Op, PortInput, Program, ProgramInput } from '../types.js';
import { opsFor } from './needed.js';

/** The port that carries what the layers hand on. */
export const STREAM = 'stream';

/** Which part of the model a virtual stage has. */
export interface StagePart {
  /** What comes before the layers. */
  readonly isFirst: boolean;
  /** What comes after the layers. */
  readonly isLast: boolean;
  /** How many layers; which ones does not show in the program. */
  readonly layers: number;
}

/** @throws MeshwrightError PROGRAM_INVALID unless the program has one repeat, which carries one value */
export function repeatOfLayers(program: Program): Op {
  const repeats = program.ops.filter(({ name }) => name === 'repeat');
  const [only] = repeats;
  if (only === undefined || repeats.length > 1)
    throw invalid('pipeline', 'one repeat over the layers', String(repeats.length));
  const { carried } = attributesOf(only, 'repeat');
  if (carried !== 1) throw invalid(only.id, 'one carried value, to be sent on', String(carried));
  return only;
}

/**
 * @param program a forward program
 * @param output what the last stage makes, `loss` or `logits`
 * @returns a program with an input port `stream` unless it is the first and an output `send:stream` unless it is the last
 */
export function cutForward(program: Program, { isFirst, isLast, layers }: StagePart, output = 'loss'): Program {
  const repeat = repeatOfLayers(program);
  if (!isFirst && !isLast && layers === 0) throw invalid('pipeline', 'a layer in each inner stage', 'none');
  const builder = Builder.from(program);
  const [before, ...stacks] = repeat.operands;
  const [after] = repeat.results;
  const type = builder.type(before!);
  const port: PortInput | undefined = isFirst
    ? undefined
    : { kind: 'port', name: STREAM, value: builder.value(type, 'activation', STREAM) };
  const entering = port?.value ?? before!;
  const leaving = layers === 0 ? entering : after!;
  for (const id of layers === 0 ? [] : stacks) builder.retype(id, { ...builder.type(id), stack: layers });

  const others = program.ops.filter((op) => op !== repeat);
  const result = program.outputs.find(({ name }) => name === output)?.value;
  if (result === undefined) throw invalid('pipeline', `an output named ${output}`, 'none');
  const front = isFirst ? opsFor(others, [before!]) : new Set<Op>();
  const back = isLast ? opsFor(others, [result]) : new Set<Op>();
  const attributes = { ...attributesOf(repeat, 'repeat'), count: layers };
  const renamed = new Map([[after!, leaving]]);
  // Nothing that only the end needs is made, or held, while the layers run.
  const ops = [
    ...others.filter((op) => front.has(op)),
    ...(layers === 0 ? [] : [{ ...repeat, operands: [entering, ...stacks], attributes }]),
    ...substitute(
      others.filter((op) => back.has(op) && !front.has(op)),
      renamed,
    ),
  ];
  const used = new Set(ops.flatMap(reads));
  const inputs: ProgramInput[] = program.inputs.filter(({ value }) => used.has(value));
  const outputs = [isLast ? { name: output, value: result } : { name: `send:${STREAM}`, value: leaving }];
  return { ...builder.finish(port === undefined ? inputs : [port, ...inputs], outputs), ops };
}
