/** A rank whose kernels compute elsewhere and leave its thread free, for which a timer stands: not one is computed. */
import { setTimeout as passing } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Program } from '../../src/program/index.js';
import { createClock } from '../../src/runtime/clock.js';
import { Rank, Transport } from '../../src/runtime/index.js';
import type { TransportMemory } from '../../src/runtime/index.js';
import type { KernelFamily } from '../../src/runtime/kernels/family.js';
import { PAIR } from './collective-programs.js';

export interface ElsewhereTask {
  readonly rank: number;
  readonly memory: TransportMemory;
  readonly programs: Readonly<Record<string, Program>>;
  readonly kernelMilliseconds: number;
}

const { rank, memory, programs, kernelMilliseconds } = workerData as ElsewhereTask;
const family: KernelFamily = {
  name: 'reference',
  device: 'a timer',
  compile: async ({ ops }) => ({
    async run(_, results = []) {
      if (ops[0]!.name === 'matmul') await passing(kernelMilliseconds);
      return [...results];
    },
  }),
  dispose: async () => undefined,
};
const clock = createClock();
const served = new Rank({ mesh: PAIR, rank, family, transport: new Transport(memory, rank), clock });
for (const [name, program] of Object.entries(programs)) await served.load(name, program);
served.initialize(1);
parentPort!.on('message', (name: string) => {
  void served.run(name, {}, [], clock()).then(({ spans }) => parentPort!.postMessage(spans));
});
parentPort!.postMessage([]);
