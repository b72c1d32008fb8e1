/** A rank as a long-lived task on a worker thread: answers the pool's calls one after the other until it is closed. */
import { awakeClock } from './awake.js';
import { createClock } from './clock.js';
import { packError } from './failure.js';
import { GarbageCollector } from './garbage.js';
import { createKernelFamily } from './kernels/index.js';
import { kernelName } from './kernels/family.js';
import type { KernelFamily } from './kernels/index.js';
import type { RankReply, RankRequest, RankTask } from './protocol.js';
import type { HostTensor } from './kernels/tensors.js';
import { pack, packRun, unpack, unpackFeeds } from './protocol.js';
import { Rank } from './rank.js';
import { RunStopped, stopAll, Transport } from './transport/index.js';
import { Diary, PREPARING_SECONDS } from './whereabouts.js';

const failed = (error: unknown): RankReply => ({
  ok: false,
  stopped: error instanceof RunStopped,
  error: packError(error),
});

/** @param copies gets what is to be transferred with the answer */
async function answer(rank: Rank, request: RankRequest, copies: ArrayBuffer[]): Promise<RankReply> {
  switch (request.kind) {
    case 'load':
      await rank.load(request.args.name, request.args.program);
      return { ok: true, result: undefined };
    case 'loadStage':
      await rank.loadStage(request.args.name, request.args.task);
      return { ok: true, result: undefined };
    case 'initialize':
      rank.initialize(request.args.seed);
      return { ok: true, result: undefined };
    case 'setState':
      rank.setState(request.args.key, unpack(request.args.value));
      return { ok: true, result: undefined };
    case 'readState':
      return { ok: true, result: pack(await rank.readState(request.args.key, request.args.element), copies) };
    case 'writeState': {
      const { key, element, value } = request.args;
      rank.writeState(key, element, unpack(value) as HostTensor);
      return { ok: true, result: undefined };
    }
    case 'run': {
      const { name, feeds, outputs, startedAt, inspection } = request.args;
      const run = await rank.run(name, unpackFeeds(feeds), outputs, startedAt, inspection);
      return { ok: true, result: packRun(run, copies) };
    }
    case 'close':
      return { ok: true, result: undefined };
  }
}

/** A family that says which kernel it compiles. */
const watched = (family: KernelFamily, diary: Diary): KernelFamily => ({
  ...family,
  compile: (spec) => {
    diary.works(`compiling ${kernelName(spec)}`, PREPARING_SECONDS);
    return family.compile(spec);
  },
});

/**
 * The worker's task. It says once that it is ready (or why not), then answers calls; it never rejects.
 *
 * @param createFamily the kernels to run, of the name that the task says
 */
export async function serveRank(
  { port, memory, rank, whereabouts, awake: awakeMemory, diaryFile, ...task }: RankTask,
  createFamily: typeof createKernelFamily = createKernelFamily,
): Promise<void> {
  const diary = new Diary(whereabouts, rank, diaryFile);
  let family: KernelFamily;
  try {
    family = watched(await createFamily(task.family, { threads: task.threads }), diary);
  } catch (error) {
    port.postMessage(failed(error));
    port.close();
    return;
  }
  const transport = new Transport(memory, rank, diary);
  // Its arrays come by message: nobody else has them.
  const clock = createClock();
  const awake = awakeClock(awakeMemory, clock);
  const served = new Rank({ mesh: task.mesh, rank, family, transport, clock, awake, keepsArrays: true });

  const garbage = new GarbageCollector();

  const handle = async (request: RankRequest): Promise<void> => {
    let reply: RankReply;
    let copies: ArrayBuffer[] = [];
    diary.works(request.kind, request.kind === 'run' ? 0 : PREPARING_SECONDS);
    try {
      reply = await answer(served, request, copies);
      if (request.kind === 'close') await family.dispose();
    } catch (error) {
      // The others may wait for this rank.
      if (request.kind === 'run') stopAll(memory.control, rank);
      reply = failed(error);
      copies = [];
    }
    diary.idle();
    port.postMessage(reply, copies);
    if (request.kind === 'run') garbage.collect();
  };
  await new Promise<void>((closed) => {
    let last = Promise.resolve();
    port.on('message', (request: RankRequest) => {
      last = last.then(() => handle(request));
      if (request.kind === 'close') void last.then(closed);
    });
    diary.idle();
    port.postMessage({ ok: true, result: undefined } satisfies RankReply);
  });
  port.close();
}
