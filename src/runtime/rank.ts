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
import { seconds } from '../units.js';
import type { Clock } from './clock.js';
import type { CompiledProgram } from './compile.js';
import { compileProgram } from './compile.js';
import type { Adopter, Feeds } from './adopt.js';
import { adopter, handOver, unsuitable } from './adopt.js';
import type { Surroundings } from './execute.js';
import { messageOf } from './failure.js';
import type { Binding } from './handle.js';
import { Handle, holdAll, releaseAll } from './handle.js';
import type { StateValue } from './initialize.js';
import { initialState, isStack } from './initialize.js';
import type { Inspection, NonFinite } from './inspector.js';
import { Inspector } from './inspector.js';
import type { HostTensor, KernelFamily } from './kernels/family.js';
import { dtypeOf } from './kernels/tensors.js';
import { Memory } from './memory.js';
import type { Current } from './run-program.js';
import { runProgram } from './run-program.js';
import { programsOf, StageRun } from './stage-run.js';
import type { StageTask } from './stage-task.js';
import { RunStopped } from './transport/index.js';
import { PREPARING_SECONDS } from './whereabouts.js';
import type { Transport } from './transport/index.js';

export interface RankOptions {
  readonly mesh: Mesh;
  readonly rank: number;
  readonly family: KernelFamily;
  readonly transport: Transport;
  readonly clock: Clock;
  /** See `Surroundings`. */
  readonly awake?: Clock;
  /** Whether arrays that it is given are the rank's from then on, to be overwritten and freed. Default false. */
  readonly keepsArrays?: boolean;
}

export interface RankRun {
  /** The outputs that were asked for. */
  readonly outputs: Readonly<Record<string, StateValue>>;
  readonly spans: readonly Span[];
  /** When the rank was done, counted from the start of the step. */
  readonly end: Seconds;
  /** What this rank found first, where it looked. */
  readonly nonFinite?: NonFinite | undefined;
}

interface Declared {
  readonly input: StateInput;
  readonly type: ValueType;
  /** The model's layers that the elements of stacks are, where they are not 0, 1, … */
  readonly layers: readonly number[] | undefined;
}

interface LoadedStage {
  readonly task: StageTask;
  readonly compiled: ReadonlyMap<Program, CompiledProgram>;
}

export class Rank {
  readonly #options: RankOptions;
  readonly #programs = new Map<string, CompiledProgram>();
  readonly #stages = new Map<string, LoadedStage>();
  readonly #declared = new Map<string, Declared>();
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
    this.#declare(name, program);
    this.#programs.set(name, await this.#compile(program));
  }

  /** As `load`, a stage of a pipeline. */
  async loadStage(name: string, task: StageTask): Promise<void> {
    for (const program of task.stage.finish) this.#declare(name, program, task.stage.layers);
    const compiled = new Map<Program, CompiledProgram>();
    for (const program of programsOf(task)) compiled.set(program, await this.#compile(program));
    this.#stages.set(name, { task, compiled });
  }

  #compile(program: Program): Promise<CompiledProgram> {
    return compileProgram(program, this.#options.family, this.#options.rank);
  }

  #declare(name: string, program: Program, layers?: readonly number[]): void {
    for (const input of program.inputs.filter(isState)) {
      const { type } = program.values[input.value]!;
      const known = this.#declared.get(stateKey(input));
      if (known !== undefined && !sameType(known.type, type)) {
        throw invalid(`${name}, ${stateKey(input)}`, JSON.stringify(known.type), JSON.stringify(type));
      }
      this.#declared.set(stateKey(input), { input, type, layers });
    }
  }

  /** Gives parameters and counters of the loaded programs their initial values, and sets optimizer state to zero. */
  initialize(seed: number): void {
    const { mesh, rank } = this.#options;
    for (const [key, { input, type, layers }] of this.#declared) {
      this.#options.transport.diary.works(`the initial value of ${key}`, PREPARING_SECONDS);
      const value = initialState(mesh, rank, input, type, seed, layers);
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

  /**
   * What the rank holds: not a copy, unless it lies on a device. It is not to be written to, and the next run may end it.
   *
   * @param element of a stack, the only one to read
   */
  async readState(key: string, element?: number): Promise<StateValue> {
    if (element !== undefined) return this.#element(key, element).look();
    const held = this.#held(key);
    return held instanceof Handle ? held.look() : Promise.all(held.map((handle) => handle.look()));
  }

  /**
   * Overwrites state that the rank holds.
   *
   * @param element of a stack, the one to write
   * @throws MeshwrightError INTERNAL on a key that it does not hold, or a value of another size or type
   */
  writeState(key: string, element: number | undefined, value: HostTensor): void {
    const handle = this.#element(key, element);
    const { tensor } = handle;
    if (tensor.length !== value.length || dtypeOf(tensor) !== dtypeOf(value))
      throw unsuitable(key, `${tensor.length} of ${dtypeOf(tensor)}`, `${value.length} of ${dtypeOf(value)}`);
    if (handle.isOnDevice) handle.replace(this.#memory.allocate(dtypeOf(value), value.length));
    handle.data.set(value);
  }

  /**
   * Runs a loaded program. State that the program replaces is given up as it is used: after a run that failed the
   * rank's state is incomplete.
   *
   * @param startedAt when the step began, on the shared clock; spans count from it
   * @param inspection looks for numbers that are not finite; the run is slower then
   * @throws MeshwrightError RANK_FAILED naming rank and op
   * @throws RunStopped when the stop flag is raised
   */
  async run(
    name: string,
    feeds: Feeds,
    outputs: readonly string[],
    startedAt: Seconds,
    inspection?: Inspection,
  ): Promise<RankRun> {
    const { rank, family, clock } = this.#options;
    const inspector = inspection === undefined ? undefined : new Inspector(family, rank, clock, inspection);
    const current: Current = {};
    try {
      const around = { ...this.#options, memory: this.#memory, startedAt, inspector };
      const stage = this.#stages.get(name);
      if (stage !== undefined)
        return { ...(await this.#runStage(stage, feeds, outputs, around, current)), nonFinite: inspector?.found };
      const compiled = this.#programs.get(name);
      if (compiled === undefined) throw unsuitable('run', 'the name of a loaded program', name);
      return { ...(await this.#runProgram(compiled, feeds, outputs, around, current)), nonFinite: inspector?.found };
    } catch (error) {
      if (error instanceof RunStopped) throw error;
      const place = `rank ${rank}, ${current.execution?.opId ?? 'inputs'}`;
      throw new MeshwrightError(
        'RANK_FAILED',
        { place, expected: `${name} to run`, got: messageOf(error) },
        { cause: error },
      );
    }
  }

  async #runProgram(
    compiled: CompiledProgram,
    feeds: Feeds,
    outputs: readonly string[],
    around: Surroundings,
    current: Current,
  ): Promise<RankRun> {
    const { program } = compiled;
    const names = program.outputs.map(({ name }) => name);
    const missing = outputs.find((output) => !names.includes(output));
    if (missing !== undefined) throw unsuitable('outputs', `one of ${names.join(', ')}`, missing);
    const adopt = this.#adopter();
    const wanted = new Map<string, Binding>();
    const execution = await runProgram(
      compiled,
      around,
      {
        bind: (input) => {
          if (isState(input)) return this.#take(stateKey(input), names.includes(stateKey(input)));
          const feed = feeds[input.name];
          if (feed === undefined) throw unsuitable(`feed ${input.name}`, 'a value', 'none');
          return holdAll(adopt(feed, program.values[input.value]!.type, `feed ${input.name}`));
        },
        give: ({ name }, binding) => {
          if (this.#declared.has(name)) this.#keep(name, binding);
          if (outputs.includes(name)) wanted.set(name, holdAll(binding));
        },
      },
      current,
    );
    return { outputs: await handOverAll(wanted), spans: execution.spans, end: execution.now() };
  }

  async #runStage(
    { task, compiled }: LoadedStage,
    feeds: Feeds,
    outputs: readonly string[],
    around: Surroundings,
    current: Current,
  ): Promise<RankRun> {
    const state = {
      take: (key: string, isReplaced: boolean) => this.#take(key, isReplaced),
      keep: (key: string, binding: Binding) => this.#keep(key, binding),
    };
    const run = new StageRun(task, compiled, feeds, { ...around, adopt: this.#adopter(), state }, current);
    const wanted = await run.run(outputs);
    return { outputs: await handOverAll(wanted), spans: run.spans, end: seconds(around.clock() - around.startedAt) };
  }

  #element(key: string, element: number | undefined): Handle {
    const held = this.#held(key);
    const handle = held instanceof Handle ? (element === undefined ? held : undefined) : held[element ?? -1];
    if (handle === undefined) throw unsuitable(key, 'an element of its stack', String(element));
    return handle;
  }

  #held(key: string): Binding {
    const held = this.#state.get(key);
    if (held === undefined) throw unsuitable(key, 'a value (initialize or set the state first)', 'none');
    return held;
  }

  /** State for a program, held for it; the rank gives up its own hold on what the program replaces. */
  #take(key: string, isReplaced: boolean): Binding {
    const held = this.#held(key);
    if (!isReplaced) return holdAll(held);
    this.#state.delete(key);
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
}

async function handOverAll(wanted: ReadonlyMap<string, Binding>): Promise<Record<string, StateValue>> {
  const outputs: Record<string, StateValue> = {};
  for (const [name, binding] of wanted) outputs[name] = await handOver(binding);
  return outputs;
}
