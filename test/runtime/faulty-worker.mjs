/**
 * A rank whose kernels fail: what goes wrong, on which rank and in which run of the kernel named `scale` is told by the
 * environment of the process that the test starts.
 */
import { spawn } from 'node:child_process';
import process from 'node:process';
import { setTimeout } from 'node:timers';
import { serveRank } from '../../dist/src/runtime/rank-task.js';
import { createReferenceFamily } from '../../dist/src/runtime/kernels/reference/index.js';

const never = () => new Promise(() => undefined);
const spin = () => {
  for (;;);
};

const FAULTS = {
  throws: () => {
    throw new Error('the card is on fire');
  },
  uncaught: () => {
    setTimeout(() => {
      throw new Error('nobody caught this');
    });
    return never();
  },
  exits: () => process.exit(3),
  aborts: () => {
    process.kill(process.pid, 'SIGABRT');
    return never();
  },
  killed: () => {
    process.kill(process.pid, 'SIGKILL');
    return never();
  },
  'takes all memory': () => {
    const kept = [];
    for (;;) kept.push(new Array(1e6).fill(kept.length));
  },
  'wants too large an array': () => new Float64Array(2 ** 52),
  'never returns': never,
  'blocks its thread': spin,
  /** As by Ctrl-Z and `fg`, in the middle of the kernel; the next run of it does not return. */
  'is stopped with its process for 3 s, and hangs later': () => {
    spawn('sh', ['-c', `sleep 3; kill -CONT ${process.pid}`], { detached: true, stdio: 'ignore' });
    process.kill(process.pid, 'SIGSTOP');
    fault = 'never returns';
    runs--;
  },
  /** Once it has said that this run is over, it reads no more messages. */
  'never begins again': () => {
    isLastReply = true;
  },
};

let isLastReply = false;

const { FAULTY_RANK, FAULTY_RUN } = process.env;
let fault = process.env.FAULT;
let runs = 0;

export default function serve(task) {
  const isFaulty = FAULTY_RANK === 'all' || String(task.rank) === FAULTY_RANK;
  const post = task.port.postMessage.bind(task.port);
  task.port.postMessage = (...message) => {
    post(...message);
    if (isLastReply) spin();
  };
  return serveRank(task, async () => {
    const family = createReferenceFamily();
    return {
      ...family,
      async compile(spec) {
        const kernel = await family.compile(spec);
        if (!isFaulty || spec.ops[0].id !== 'scale') return kernel;
        return {
          async run(...args) {
            if (++runs === Number(FAULTY_RUN)) await FAULTS[fault]();
            return kernel.run(...args);
          },
        };
      },
    };
  });
}
