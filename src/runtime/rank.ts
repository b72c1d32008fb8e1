/**
 * One rank of the mesh: the programs it has loaded and the parameters and optimizer state that stay on it between runs.
 * It knows nothing of threads; `rank-task.ts` puts it on one.
 */
import { MeshwrightError } from '../errors.js';
import type { Mesh } from '../mesh/index.js';
import type { Program, ProgramInput, StateInput, ValueType } from '../program/index.js';
import { elementCount, invalid, sameType, stateKey } from '../program/index.js';
import type { Span } from '../trace/index.js';
import type { Seconds } from '../units.js';
import type { Clock } from './clock.js';
import type { CompiledProgram } from './compile.js';
import { compileProgram } from './compile.js';
import type { Environment } from './execute.js';
import { Execution } from './execute.js';
import { messageOf } from './failure.js';
import type { StateValue } from './initialize.js';
import { initialParameter, zeroState } from './initialize.js';
import type { HostTensor, KernelFamily } from './kernels/family.js';
import { dtypeOf, numbersOf, stored } from './kernels/tensors.js';
import { RunStopped } from './transport/index.js';
import type { Transport } from './transport/index.js';

/** A value of a data input, by its name; a scalar may be a number. Arrays may lie over a SharedArrayBuffer. */
export type Feed = number | StateValue;
export type Feeds = Readonly<Record<string, Feed>>;

export interface RankOptions {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly family: KernelFamily;
  readonly transport: Transport;
  readonly clock: Clock;
}

export interface RankRun {
  /** The outputs that were asked for. */
  readonly outputs: Readonly<Record<string, StateValue>>;
  readonly spans: readonly Span[];
  /** When the rank was done, counted from the start of the step. */
  readonly end: Seconds;
}

const isStateKey = (name: string): boolean => name.startsWith('parameter:') || name.startsWith('optimizer:');
const isState = (input: ProgramInput): input is StateInput => input.kind !== 'data';

/** A value as the rank holds it: arrays of its type's kind, of its own memory where it came over a shared one. */
function adopt(value: Feed, type: ValueType, place: string): StateValue {
  const length = elementCount(type.shape);
  const one = (given: number | HostTensor, at: string): HostTensor => {
    const array = typeof given === 'number' ? Float64Array.of(given) : given;
    if (array.length !== length) throw unsuitable(at, `${length} elements [${type.shape.join(',')}]`, array.length);
    if (dtypeOf(array) !== type.dtype) return stored(type.dtype, numbersOf(array));
    return array.buffer instanceof SharedArrayBuffer ? array.slice() : array;
  };
  if (!Array.isArray(value)) {
    if (type.stack !== undefined) throw unsuitable(place, `a list of ${type.stack} arrays`, 'one');
    return one(value as number | HostTensor, place);
  }
  const list = value as readonly HostTensor[];
  if (list.length !== type.stack) throw unsuitable(place, type.stack ?? 'one array', `a list of ${list.length}`);
  return list.map((given, index) => one(given, `${place}[${index}]`));
}

const unsuitable = (place: string, expected: string | number, got: string | number): MeshwrightError =>
  new MeshwrightError('INTERNAL', { place, expected: String(expected), got: String(got) });

export class Rank {
  readonly #options: RankOptions;
  readonly #programs = new Map<string, CompiledProgram>();
  readonly #declared = new Map<string, { readonly input: StateInput; readonly type: ValueType }>();
  readonly #state = new Map<string, StateValue>();

  constructor(options: RankOptions) {
    this.#options = options;
  }

  /**
   * Compiles a program and keeps it under `name`. Programs share state by key.
   *
   * @throws MeshwrightError DTYPE_UNSUPPORTED, DEVICE_FAILED, see `compileProgram`; PROGRAM_INVALID where a parameter
   *   has another type than in a program loaded before
   */
  async load(name: string, program: Program): Promise<void> {
    for (const input of program.inputs.filter(isState)) {
      const { type } = program.values[input.value]!;
      const known = this.#declared.get(stateKey(input));
      if (known !== undefined && !sameType(known.type, type)) {
        throw invalid(`${name}, ${stateKey(input)}`, JSON.stringify(known.type), JSON.stringify(type));
      }
      this.#declared.set(stateKey(input), { input, type });
    }
    this.#programs.set(name, await compileProgram(program, this.#options.family));
  }

  /** Gives every parameter of the loaded programs its initial value, and sets optimizer state to zero. */
  initialize(seed: number): void {
    const { mesh, rank } = this.#options;
    for (const [key, { input, type }] of this.#declared) {
      const value = input.kind === 'parameter' ? initialParameter(mesh, rank, input, type, seed) : zeroState(type);
      this.#state.set(key, value);
    }
  }

  /** @throws MeshwrightError INTERNAL on a key that no loaded program has, or a value of another size */
  setState(key: string, value: StateValue): void {
    const known = this.#declared.get(key);
    if (known === undefined) throw unsuitable(key, 'a parameter or optimizer state of a loaded program', 'neither');
    this.#state.set(key, adopt(value, known.type, key));
  }

  /** What the rank holds, not a copy; it is not to be written to. */
  readState(key: string): StateValue {
    const value = this.#state.get(key);
    if (value === undefined) throw unsuitable(key, 'a value (initialize or set the state first)', 'none');
    return value;
  }

  /**
   * Runs a loaded program. State that the program replaces is given up as it is used: after a run that failed the
   * rank's state is incomplete.
   *
   * @param startedAt when the step began, on the shared clock; spans count from it
   * @throws MeshwrightError RANK_FAILED naming rank and op; TIMED_OUT where a peer was silent
   * @throws RunStopped when the stop flag is raised
   */
  async run(name: string, feeds: Feeds, outputs: readonly string[], startedAt: Seconds): Promise<RankRun> {
    const { rank } = this.#options;
    let execution: Execution | undefined;
    try {
      const compiled = this.#programs.get(name);
      if (compiled === undefined) throw unsuitable('run', 'the name of a loaded program', name);
      const { program } = compiled;
      const env: Environment = new Array<undefined>(program.values.length).fill(undefined);
      execution = new Execution(compiled, env, { ...this.#options, startedAt });
      this.#bindInputs(program, feeds, env, execution);
      const wanted = outputs.map((output) => [output, outputValue(program, output)] as const);
      await execution.run();
      for (const { name: output, value } of program.outputs) {
        if (isStateKey(output)) this.#state.set(output, env[value]!);
      }
      const given = Object.fromEntries(wanted.map(([output, value]) => [output, env[value]!]));
      return { outputs: given, spans: execution.spans, end: execution.now() };
    } catch (error) {
      if (error instanceof RunStopped) throw error;
      if (error instanceof MeshwrightError && error.code === 'TIMED_OUT') throw error;
      const place = `rank ${rank}, ${execution?.opId ?? 'inputs'}`;
      throw new MeshwrightError(
        'RANK_FAILED',
        { place, expected: `${name} to run`, got: messageOf(error) },
        { cause: error },
      );
    }
  }

  #bindInputs(program: Program, feeds: Feeds, env: Environment, execution: Execution): void {
    const start = execution.now();
    const replaced = new Set(program.outputs.map((output) => output.name));
    let fed = false;
    for (const input of program.inputs) {
      if (isState(input)) {
        const key = stateKey(input);
        env[input.value] = this.readState(key);
        if (replaced.has(key)) this.#state.delete(key);
        continue;
      }
      const feed = feeds[input.name];
      if (feed === undefined) throw unsuitable(`feed ${input.name}`, 'a value', 'none');
      env[input.value] = adopt(feed, program.values[input.value]!.type, `feed ${input.name}`);
      fed = true;
    }
    if (!fed) return;
    const { rank } = this.#options;
    const name = 'copy inputs';
    execution.spans.push({ id: 'inputs', kind: 'host', name, phase: 'forward', rank, start, end: execution.now() });
  }
}

function outputValue(program: Program, name: string): number {
  const output = program.outputs.find((candidate) => candidate.name === name);
  if (output) return output.value;
  throw unsuitable('outputs', `one of ${program.outputs.map((candidate) => candidate.name).join(', ')}`, name);
}
