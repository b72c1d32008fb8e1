/** Launches and the host, as a stack profile. */
import type { StackDocument } from '../hardware/index.js';
import { omit } from '../omit.js';
import type { RankMeasurements } from './blocks.js';
import type { LaunchCosts } from './launch-costs.js';
import type { Mark } from './quantities.js';
import { gigabytes, microseconds, share } from './quantities.js';

/** What a new stack is made of, beside what was measured. */
export interface StackRequest {
  /** What it has where nothing was measured. */
  readonly baseStack: StackDocument;
  readonly stackName: string;
  readonly stackTitle: string;
  readonly family: string;
  readonly cores: number;
}

export function stackOf(
  { baseStack, stackName, stackTitle, family, cores }: StackRequest,
  all: readonly RankMeasurements[],
  launch: LaunchCosts,
  mark: Mark,
): StackDocument {
  const rest = omit(baseStack, 'operandCopies');
  const repeats = (value: number): Mark & { readonly repeatability: number } => ({
    ...mark,
    repeatability: share(value),
  });
  const own = repeats(launch.repeatability);
  const host = all.map((measured) => ({ ranks: measured.ranks, ...hostOf(measured) }));
  const [alone] = host as [(typeof host)[number]];
  const most = host.findLast(({ ranks }) => ranks <= cores) ?? alone;
  const perRank = most.ranks === alone.ranks ? 0 : Math.max(0, most.step - alone.step) / (most.ranks - alone.ranks);
  const onHost = repeats(alone.repeatability);
  return {
    ...rest,
    name: stackName,
    title: stackTitle,
    kernelFamily: { value: family, ...mark },
    kernelLaunchOverhead: { value: microseconds(launch.launch), ...own },
    operandOverhead: { value: microseconds(launch.port), ...own },
    opOverhead: { value: microseconds(launch.op), ...own },
    ...(launch.perByte === 0 ? {} : { operandCopies: { value: gigabytes(1 / launch.perByte), ...own } }),
    hostOverheadPerStep: { value: microseconds(alone.step), ...onHost },
    hostOverheadPerRank: { value: microseconds(perRank), ...onHost },
    hostTimePerSpan: { value: microseconds(alone.span), ...onHost },
  };
}

/** Straight through steps of few and of many kernels. */
function hostOf({ idle }: RankMeasurements): {
  readonly step: number;
  readonly span: number;
  readonly repeatability: number;
} {
  const [few, many] = idle as [(typeof idle)[number], (typeof idle)[number]];
  const span = Math.max(0, (many.seconds.value - few.seconds.value) / (many.kernels - few.kernels));
  const step = Math.max(0, few.seconds.value - few.kernels * span);
  return { step, span, repeatability: few.seconds.repeatability };
}
