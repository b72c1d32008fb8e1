/** What the links carry in a step of a pipeline: each stage's chips run its programs, and send to other stages. */
import { axisSize, coordinate } from '../../src/mesh/index.js';
import type { TrainingPipeline } from '../../src/program/index.js';
import type { ScheduleShape } from '../../src/program/schedules/index.js';
import { placeOf } from '../../src/program/schedules/index.js';
import type { Machine } from '../machine/index.js';
import type { CollectiveSchedule, Pattern } from '../network/index.js';
import type { StageUse } from './stage-use.js';
import { agreementOf, exchangeOf } from './times.js';
import type { Transfers } from './transfers.js';

/** Bytes of each pattern by the stage whose chips send. */
class Sent {
  readonly #stages: number;
  readonly #bytes = new Map<Pattern, Float64Array>();

  constructor(stages: number) {
    this.#stages = stages;
  }

  add({ channels }: CollectiveSchedule, times: number, stage: number): void {
    for (const { pattern, steps, bytes } of channels.flat()) {
      let byStage = this.#bytes.get(pattern);
      if (byStage === undefined) this.#bytes.set(pattern, (byStage = new Float64Array(this.#stages)));
      byStage[stage]! += times * steps * bytes;
    }
  }

  over({ fabric, chips, mesh, chipOf }: Machine): Float64Array {
    const carried = new Float64Array(fabric.links.length);
    const stageOf = new Int32Array(chips);
    for (let rank = 0; rank < chips; rank++) stageOf[chipOf(rank)] = coordinate(mesh, rank, 'pipe');
    for (const [{ flows, paths, linkShares }, byStage] of this.#bytes) {
      if (byStage.every((bytes) => bytes === byStage[0])) {
        linkShares.addTo(carried, byStage[0]!);
        continue;
      }
      flows.forEach(({ from, share }, flow) => {
        const bytes = share * byStage[stageOf[from]!]!;
        if (bytes === 0) return;
        for (let hop = paths.starts[flow]!; hop < paths.starts[flow + 1]!; hop++) carried[paths.links[hop]!]! += bytes;
      });
    }
    return carried;
  }
}

export function pipelineLinkBytes(
  machine: Machine,
  pipeline: TrainingPipeline,
  transfers: Transfers,
  shape: ScheduleShape,
  microbatches: number,
  stages: readonly StageUse[],
): Float64Array {
  const sent = new Sent(axisSize(machine.mesh, 'pipe'));
  stages.forEach(({ uses }, stage) => {
    for (const { run, count } of uses)
      for (const { schedule, times } of run.plan.collectives) sent.add(schedule, count * times, stage);
  });
  for (let virtual = 0; virtual + 1 < pipeline.virtual.length; virtual++) {
    const [here, next] = [placeOf(shape, virtual).stage, placeOf(shape, virtual + 1).stage];
    if (here === next) continue;
    for (const [from, to, a, b] of [
      [virtual, virtual + 1, here, next],
      [virtual + 1, virtual, next, here],
    ] as const) {
      const { schedule, gather } = transfers.between(from, to);
      sent.add(schedule, microbatches, a);
      if (gather !== undefined) sent.add(gather, microbatches, b);
    }
  }
  const agreement = agreementOf(pipeline, transfers);
  pipeline.stages.forEach((_, stage) => {
    const exchange = exchangeOf(pipeline, transfers, stage);
    if (exchange !== undefined) sent.add(exchange.schedule, 1, stage);
    if (agreement !== undefined) sent.add(agreement.schedule, 1, stage);
  });
  return sent.over(machine);
}
