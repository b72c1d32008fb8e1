/** From measurements of this machine's devices to a hardware and a stack profile. */
import { MeshwrightError } from '../errors.js';
import type { Hardware, HardwareDocument, MatmulDType, Stack, StackDocument } from '../hardware/index.js';
import { calibrateHardware, calibrateStack } from '../hardware/index.js';
import { matmulFlops } from '../program/index.js';
import { bytesPerSecond, flopsPerSecond, seconds } from '../units.js';
import type { Measurements } from './measure.js';
import { fitNonNegative } from './regression.js';

export interface Profile {
  readonly hardware: HardwareDocument;
  readonly stack: StackDocument;
}

/** Where an op's own time is a smaller share than this, the rest being its launch, no rate is read from it. */
const LEAST_SHARE = 0.8;

/**
 * @param source what was measured, when and how; every number gets it
 * @param stackName what the hardware profile names its stack
 * @param isFirst whether this machine's peak, which MFU is relative to from then on, is measured now
 */
export function profileDevices(
  base: Hardware,
  stack: Stack,
  dtype: MatmulDType,
  measured: Measurements,
  source: string,
  stackName: string,
  isFirst: boolean,
): Profile {
  const [one, many] = measured.launches as [Measurements['launches'][number], Measurements['launches'][number]];
  const perOp = Math.max(0, (many.seconds - one.seconds) / (many.ops - one.ops));
  const launch = Math.max(0, one.seconds - perOp);
  const own = (duration: number): number => Math.max(duration - one.seconds, LEAST_SHARE * duration);
  const points = measured.matmuls
    .filter(({ seconds: duration }) => duration - one.seconds >= LEAST_SHARE * duration)
    .map(({ seconds: duration, ...shape }) => ({
      ...shape,
      rate: flopsPerSecond(matmulFlops(shape) / own(duration)),
    }));
  if (points.length === 0) {
    throw new MeshwrightError('DEVICE_FAILED', {
      place: 'measuring matmuls',
      expected: 'at least one that takes longer than its launch',
      got: `all ${measured.matmuls.length} within ${(one.seconds * 1e6).toFixed(0)} µs`,
      hint: 'measure with a larger model or batch',
    });
  }
  const best = flopsPerSecond(Math.max(...points.map(({ rate }) => rate)));
  const [memory] = measured.memory;
  const [vector] = measured.vector;
  const transfer = fitTransfers(measured.collectives);
  const hardware = calibrateHardware(base.document, {
    name: base.name,
    title: base.title,
    source,
    matmul: { [dtype]: { achievable: best, points, ...(isFirst ? { firstPeak: best } : {}) } },
    memoryBandwidth: bytesPerSecond(memory!.bytes / own(memory!.seconds)),
    vectorRate: flopsPerSecond(vector!.flops / own(vector!.seconds)),
    // Rates were taken with all ranks at work: they are what a busy core reaches.
    busyCoreRateFraction: 1,
    ...(transfer === undefined
      ? {}
      : {
          transferBandwidthPerChip: bytesPerSecond(1 / transfer.secondsPerByte),
          messageLatency: seconds(transfer.secondsPerMessage),
        }),
  });
  return {
    hardware: { ...hardware, defaultStack: stackName },
    stack: calibrateStack(stack.document, {
      name: stack.name,
      title: stack.title,
      source,
      kernelLaunchOverhead: seconds(launch),
      opOverhead: seconds(perOp),
    }),
  };
}

export interface Transfers {
  readonly secondsPerMessage: number;
  readonly secondsPerByte: number;
}

/** Latency and bandwidth of collectives; relative errors count, so that small messages weigh as much as large ones. */
export function fitTransfers(
  collectives: readonly { readonly messages: number; readonly bytes: number; readonly seconds: number }[],
): Transfers | undefined {
  if (collectives.length < 2) return undefined;
  const [secondsPerMessage, secondsPerByte] = fitNonNegative(
    collectives.map(({ messages, bytes, seconds: target }) => ({
      features: [messages, bytes],
      target,
      weight: 1 / target ** 2,
    })),
  ) as [number, number];
  return secondsPerByte > 0 ? { secondsPerMessage, secondsPerByte } : undefined;
}
