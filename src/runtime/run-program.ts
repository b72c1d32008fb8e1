/** One run of a compiled program: what its inputs are bound to, and who gets its outputs. */
import type { ProgramInput, ProgramOutput } from '../program/index.js';
import type { CompiledProgram } from './compile.js';
import type { Environment, Surroundings } from './execute.js';
import { Execution } from './execute.js';
import type { Binding } from './handle.js';
import { bringAll, releaseAll } from './handle.js';

export interface ProgramEnds {
  /** A binding that is held for the run, which lets go of it when it is used. */
  bind(input: ProgramInput): Binding;
  /** Asked for each output; the run's own hold on it ends afterwards. */
  give(output: ProgramOutput, binding: Binding): Promise<void> | void;
}

/** What runs, to name when it fails. */
export interface Current {
  execution?: Execution;
}

/**
 * @param finish whether to wait for all its collectives
 * @throws what a kernel or the transport throws; `current` then knows the op
 */
export async function runProgram(
  compiled: CompiledProgram,
  around: Surroundings,
  { bind, give }: ProgramEnds,
  current: Current,
  finish = true,
): Promise<Execution> {
  const { program } = compiled;
  const env: Environment = new Array<undefined>(program.values.length).fill(undefined);
  const execution = new Execution(compiled, env, around);
  current.execution = execution;
  const data = program.inputs.filter(({ kind }) => kind === 'data');
  const enter = async (input: ProgramInput): Promise<void> => {
    const binding = bind(input);
    env[input.value] = binding;
    if (around.inspector === undefined) return;
    await bringAll([binding]);
    around.inspector.input(input, binding);
  };
  for (const input of program.inputs) if (input.kind !== 'data') await enter(input);
  const start = execution.now();
  for (const input of data) await enter(input);
  if (data.length > 0) {
    const { rank } = around;
    const name = 'copy inputs';
    execution.spans.push({ id: 'inputs', kind: 'host', name, phase: 'forward', rank, start, end: execution.now() });
  }
  await execution.run(finish);
  for (const output of program.outputs) await give(output, env[output.value]!);
  env.forEach((binding) => binding !== undefined && releaseAll(binding));
  return execution;
}
