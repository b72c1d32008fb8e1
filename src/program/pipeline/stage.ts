/**
 * What a physical stage does before its slots and after them: zeros to add to and parameters that are gathered once; the
 * reduction of its gradients and the optimizer. Its stacks hold the layers of all its chunks, one chunk after the other.
 */
import { Builder } from '../builder.js';
import { invalid } from '../ops/index.js';
import { startSums } from '../passes/accumulate-microbatches.js';
import { copyOnce } from '../passes/copy-once.js';
import type { LowerOptions, Verified } from '../passes/lower.js';
import { copiesFor, parameterType, reductionOf, schedule } from '../passes/lower.js';
import { reduceGradients } from '../passes/reduce-gradients.js';
import type { ShardChoice } from '../passes/shard-choice.js';
import { cutType } from '../passes/shard-choice.js';
import { countNonfinite, counterInput } from '../passes/loss-scale.js';
import { monitorUpdate } from '../passes/monitor.js';
import { updateParameters } from '../passes/update-parameters.js';
import type { ParameterInput, Program, ProgramInput, ProgramOutput, ValueId, ValueType } from '../types.js';
import { sameType } from '../verify.js';
import type { StagePrograms } from './pipeline.js';

/** What all stages of a pipeline are made from. */
export interface StageContext {
  /** The whole forward program of one microbatch. */
  readonly forward: Program;
  readonly choice: ShardChoice;
  readonly options: LowerOptions;
  readonly verified: Verified;
}

type Types = ReadonlyMap<string, ValueType>;

/** A value of a stage is one tensor for all its chunks, or a stack of all their layers. */
function join(chunks: readonly Types[]): Types {
  const joined = new Map<string, ValueType>();
  for (const [name, type] of chunks.flatMap((types) => [...types])) {
    const before = joined.get(name);
    const total = type.stack === undefined ? type : { ...type, stack: type.stack + (before?.stack ?? 0) };
    if (
      before !== undefined &&
      !sameType(type.stack === undefined ? before : { ...before, stack: total.stack! }, total)
    )
      throw invalid(name, 'the same type in all chunks of a stage', 'others');
    joined.set(name, total);
  }
  return joined;
}

/** Types of what a chunk's slots read of the stage. */
const inputTypes = (slots: readonly Program[], kind: ProgramInput['kind']): Types =>
  new Map(
    slots.flatMap(({ inputs, values }) =>
      inputs
        .filter((input) => input.kind === kind)
        .map((input) => [(input as ParameterInput).name, values[input.value]!.type] as const),
    ),
  );

const SUM = 'sum:';

const sumTypes = (slots: readonly Program[]): Types =>
  new Map(
    slots.flatMap(({ outputs, values }) =>
      outputs
        .filter(({ name }) => name.startsWith(SUM))
        .map(({ name, value }) => [name.slice(SUM.length), values[value]!.type] as const),
    ),
  );

const parametersOf = ({ forward }: StageContext): ParameterInput[] =>
  forward.inputs.filter((input): input is ParameterInput => input.kind === 'parameter');

/** @param gathered the parameters that slots work on, whole */
function startProgram(context: StageContext, sums: Types, gathered: Types): Program {
  const { forward, choice, options, verified } = context;
  const builder = new Builder(forward.mesh);
  const inputs: ParameterInput[] = parametersOf(context).flatMap((input) => {
    const type = gathered.get(input.name);
    return type === undefined ? [] : [{ ...input, value: builder.value(type, 'parameter', input.name) }];
  });
  const wanted = [...sums].map(([name, type]): ProgramOutput => ({ name, value: builder.value(type, 'gradient') }));
  const zeros = startSums(builder, wanted);
  const program = verified(
    builder.finish(inputs, [
      ...wanted.map(({ name }, index) => ({ name: `${SUM}${name}`, value: zeros[index]! })),
      ...inputs.map(({ name, value }) => ({ name: `gathered:${name}`, value })),
    ]),
  );
  if (inputs.length === 0) return schedule(program, options, verified);
  const { bucketBytes = Infinity } = options;
  const copies = copiesFor(forward, choice, options);
  return schedule(verified(copyOnce(program, copies, parameterType(forward), bucketBytes)), options, verified);
}

/** Sums as gradients, whose reduction is completed. */
function reduced(context: StageContext, sums: Types): Program {
  const builder = new Builder(context.forward.mesh);
  const inputs = [...sums].map(([name, type]): ProgramInput & { readonly name: string; readonly value: ValueId } => ({
    kind: 'sum',
    name,
    value: builder.value(type, 'gradient', name),
  }));
  const outputs = inputs.map(({ name, value }): ProgramOutput => ({ name, value }));
  return context.verified(
    reduceGradients(builder.finish(inputs, outputs), reductionOf(context.choice, context.options)),
  );
}

/** Completes this stage's part of the tied parameters' gradients and sends it. */
function exchangeProgram(context: StageContext, sums: Types): Program {
  const program = reduced(context, sums);
  const outputs = program.outputs.flatMap(({ name, value }) => [
    { name: `send:tied:${name.replace('gradient:', '')}`, value },
    { name: `${SUM}${name}`, value },
  ]);
  return { ...program, outputs };
}

function addOthers(context: StageContext, program: Program, tied: readonly string[]): Program {
  const builder = Builder.from(program);
  builder.append(program.ops);
  const ports: ProgramInput[] = [];
  const outputs = program.outputs.map(({ name, value }): ProgramOutput => {
    const parameter = name.replace('gradient:', '');
    if (!tied.includes(parameter)) return { name, value };
    const port = `tied:${parameter}`;
    const got = builder.value(builder.type(value), 'gradient', port);
    ports.push({ kind: 'port', name: port, value: got });
    // Both sides add the same two numbers, so that they stay equal.
    const options = { id: port, phase: 'reduce' as const, role: 'gradient' as const };
    return { name, value: builder.emit('add', [value, got], {}, options) };
  });
  return context.verified(builder.finish([...program.inputs, ...ports], outputs));
}

/** What the stages agree on before their updates: how much of all their gradients is not finite. */
export const NONFINITE = 'nonfinite';

/** Completes gradients and counts what is not finite among them. */
function checkProgram(context: StageContext, sums: Types, tied: readonly string[]): Program {
  const program = addOthers(context, reduced(context, sums), tied);
  const builder = Builder.from(program);
  builder.append(program.ops);
  const gradients = program.outputs.filter(({ name }) => name.startsWith('gradient:')).map(({ value }) => value);
  const count = countNonfinite(builder, gradients);
  const kept = program.outputs.map(({ name, value }) => ({ name: `${SUM}${name}`, value }));
  return context.verified(builder.finish(program.inputs, [...kept, { name: `agree:${NONFINITE}`, value: count }]));
}

/** The counter of the loss scale and the count of all stages, as the update has them. */
function scaleInputs(builder: Builder, { options }: StageContext) {
  const { lossScaling } = options;
  if (lossScaling === undefined) return undefined;
  const counter = counterInput(builder, 'loss-scale', lossScaling.initial, 'f32');
  const value = builder.value({ shape: [], dtype: 'f32', states: {} }, 'optimizer', NONFINITE);
  const port: ProgramInput = { kind: 'port', name: `agreed:${NONFINITE}`, value };
  return { inputs: [counter, port], lossScale: { scaling: lossScaling, counter, nonfinite: value } };
}

function updateProgram(
  context: StageContext,
  sums: Types,
  tied: readonly string[],
  others: readonly string[],
): Program {
  const { forward, choice, options, verified } = context;
  const program = addOthers(context, reduced(context, sums), tied);
  const builder = Builder.from(program);
  builder.append(program.ops);
  const scale = scaleInputs(builder, context);
  const parameters = parametersOf(context).flatMap((input): ParameterInput[] => {
    const sum = sums.get(`gradient:${input.name}`);
    if (sum === undefined) return [];
    const { shape, dtype, states } = forward.values[input.value]!.type;
    const whole = { shape, dtype, states, ...(sum.stack === undefined ? {} : { stack: sum.stack }) };
    const type = cutType(forward.mesh, whole, choice.get(input.name) ?? []);
    return [{ ...input, value: builder.value(type, 'parameter', input.name) }];
  });
  const complete = builder.finish([...parameters, ...program.inputs, ...(scale?.inputs ?? [])], program.outputs);
  const { optimizerType, optimizerOffload, keepGradients = false, monitored = false } = options;
  const update = {
    keepGradients,
    ...(optimizerType === undefined ? {} : { optimizerType }),
    ...(optimizerOffload === undefined ? {} : { offload: optimizerOffload }),
    ...(scale === undefined ? {} : { lossScale: scale.lossScale }),
  };
  const updated = verified(updateParameters(complete, options.optimizer, update));
  return monitored ? verified(monitorUpdate(updated, new Set(others))) : updated;
}

/**
 * @param chunks the slots of each chunk: those of most microbatches, and the last one's
 * @param tied parameters that another stage has too
 * @param others those of them whose gradients the other stage counts where all are counted once
 */
export function stagePrograms(
  context: StageContext,
  chunks: readonly { readonly slots: readonly Program[]; readonly last: readonly Program[] }[],
  tied: readonly string[],
  others: readonly string[],
): Required<StagePrograms> {
  const start = startProgram(
    context,
    join(chunks.map(({ slots }) => inputTypes(slots, 'sum'))),
    join(chunks.map(({ slots }) => inputTypes(slots, 'gathered'))),
  );
  const sums = join(chunks.map(({ last }) => sumTypes(last)));
  const finished = (program: Program): Program =>
    schedule(context.verified(program), context.options, context.verified);
  /** Where the loss is scaled, whether the update counts is agreed on before it. */
  const update = (from: Types, shared: readonly string[]): Program[] => {
    if (context.options.lossScaling === undefined) return [finished(updateProgram(context, from, shared, others))];
    const check = checkProgram(context, from, shared);
    return [finished(check), finished(updateProgram(context, new Map([...from, ...sumTypes([check])]), [], others))];
  };
  if (tied.length === 0) return { start, finish: update(sums, []) };
  // In the same order on both sides.
  const own = new Map(tied.map((name) => [`gradient:${name}`, sums.get(`gradient:${name}`)!]));
  const exchange = exchangeProgram(context, own);
  const exchanged = new Map([...sums, ...sumTypes([exchange])]);
  return { start, finish: [finished(exchange), ...update(exchanged, tied)] };
}
