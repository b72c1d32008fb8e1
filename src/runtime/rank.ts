/**
 * One rank of the mesh: the programs it has loaded and the parameters and optimizer state that stay on it between runs.
 * It knows nothing of threads; `rank-task.ts` puts it on one.
 */
import { MeshwrightError } from '../errors.js';
import type { Mesh } from '../mesh/index.js';
import type { Program, StateInput, ValueType } from '../program/index.js';
import { invalid, isState, sameType, stateKey } from '../program/index.js';
import type { Span } from '../trace/index.js';
import type { Seconds } from '../units.js';
import type { Clock } from './clock.js';
import type { CompiledProgram } from './compile.js';
import { compileProgram } from './compile.js';
import type { Adopter, Feed } from './adopt.js';
import { adopter, handOver, unsuitable } from './adopt.js';
import type { Environment } from './execute.js';
import { Execution } from './execute.js';
import { messageOf } from './failure.js';
import type { Binding } from './handle.js';
import { Handle, holdAll, releaseAll } from './handle.js';
import type { StateValue } from './initialize.js';
import { initialState, isStack } from './initialize.js';
import type { HostTensor, KernelFamily } from './kernels/family.js';
import { Memory } from './memory.js';
import { RunStopped } from './transport/index.js';
import type { Transport } from './transport/index.js';

/** Values of data inputs, by name. */
export type Feeds = Readonly<Record<string, Feed>>;

export interface RankOptions {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly family: KernelFamily;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Whether arrays that it is given are the rank's from then on, to be overwritten and freed. Default false. */
  readonly keepsArrays?: boolean;
}

export interface RankRun {
  /** The outputs that were asked for. */
  readonly outputs: Readonly<Record<string, StateValue>>;
  readonly spans: readonly Span[];
  /** When the rank was done, counted from the start of the step. */
  readonly end: Seconds;
}

export class Rank {
  readonly #options: RankOptions;
  readonly #programs = new Map<string, CompiledProgram>();
  readonly #declared = new Map<string, { readonly input: StateInput; readonly type: ValueType }>();
  readonly #state = new Map<string, Binding>();
  readonly #memory = new Memory();

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
    this.#programs.set(name, await compileProgram(program, this.#options.family, this.#options.rank));
  }

  /** Gives parameters and counters of the loaded programs their initial values, and sets optimizer state to zero. */
  initialize(seed: number): void {
    const { mesh, rank } = this.#options;
    for (const [key, { input, type }] of this.#declared) {
      const value = initialState(mesh, rank, input, type, seed);
      const placed = (tensor: HostTensor): Handle => {
        const handle = Handle.allocate(this.#memory, type.dtype, tensor.length);
        handle.data.set(tensor);
        this.#memory.free(tensor);
        return handle;
      };
      this.#keep(key, isStack(value) ? value.map(placed) : placed(value));
    }
  }

  /** @throws MeshwrightError INTERNAL on a key that no loaded program has, or a value of another size */
  setState(key: string, value: StateValue): void {
    const known = this.#declared.get(key);
    if (known === undefined) throw unsuitable(key, 'a parameter or optimizer state of a loaded program', 'neither');
    this.#keep(key, this.#adopter()(value, known.type, key));
  }

  /** What the rank holds, not a copy; it is not to be written to, and the next run may end it. */
  readState(key: string): StateValue {
    const held = this.#held(key);
    return held instanceof Handle ? held.data : held.map(({ data }) => data);
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
      execution = new Execution(compiled, env, { ...this.#options, memory: this.#memory, startedAt });
      this.#bindInputs(program, feeds, env, execution);
      const wanted = outputs.map((output) => [output, outputValue(program, output)] as const);
      await execution.run();
      for (const { name: output, value } of program.outputs) {
        if (this.#declared.has(output)) this.#keep(output, env[value]!);
      }
      const end = execution.now();
      const given = new Map(wanted.map(([, value]) => [value, env[value]!] as const));
      given.forEach((_, value) => (env[value] = undefined));
      env.forEach((binding) => binding !== undefined && releaseAll(binding));
      const arrays = new Map([...given].map(([value, binding]) => [value, handOver(binding)]));
      const results = Object.fromEntries(wanted.map(([output, value]) => [output, arrays.get(value)!]));
      return { outputs: results, spans: execution.spans, end };
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

  #held(key: string): Binding {
    const held = this.#state.get(key);
    if (held === undefined) throw unsuitable(key, 'a value (initialize or set the state first)', 'none');
    return held;
  }

  #keep(key: string, binding: Binding): void {
    const before = this.#state.get(key);
    this.#state.set(key, holdAll(binding));
    if (before !== undefined) releaseAll(before);
  }

  #adopter(): Adopter {
    return adopter(this.#memory, this.#options.keepsArrays ?? false);
  }

  #bindInputs(program: Program, feeds: Feeds, env: Environment, execution: Execution): void {
    const start = execution.now();
    const replaced = new Set(program.outputs.map((output) => output.name));
    const adopt = this.#adopter();
    let fed = false;
    for (const input of program.inputs) {
      if (isState(input)) {
        const key = stateKey(input);
        const held = this.#held(key);
        env[input.value] = replaced.has(key) ? held : holdAll(held);
        if (replaced.has(key)) this.#state.delete(key);
        continue;
      }
      const feed = feeds[input.name];
      if (feed === undefined) throw unsuitable(`feed ${input.name}`, 'a value', 'none');
      env[input.value] = holdAll(adopt(feed, program.values[input.value]!.type, `feed ${input.name}`));
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
