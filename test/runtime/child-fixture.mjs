/** A device process that fails in every way; it runs from `dist/` as the real one does. */
import process from 'node:process';
import { MeshwrightError } from '../../dist/src/errors.js';
import { serveChild } from '../../dist/src/runtime/serve-child.js';

const aborted = (signal) => new Promise((resolve) => signal.addEventListener('abort', resolve));

serveChild({
  refuse: async () => {
    throw new MeshwrightError('PLAN_DOES_NOT_FIT', { place: 'plan.mesh', expected: 'less', got: 'more' });
  },
  stumble: async () => {
    throw new TypeError('x is not a function');
  },
  die: async () => {
    process.stderr.write('a native library said goodbye\n');
    process.abort();
  },
  threads: async () => process.env.UV_THREADPOOL_SIZE,
  untilAborted: async (_args, emit, signal) => {
    emit(process.pid);
    await aborted(signal);
    return 'ended in order';
  },
  never: async (_args, emit) => {
    emit(process.pid);
    await new Promise(() => undefined);
  },
  /** What it is asked, as soon as it is that much. */
  asked: (count, _emit, _signal, _diary, onControl) =>
    new Promise((resolve) => {
      const heard = [];
      onControl((control) => {
        if (heard.push(control) === count) resolve(heard);
      });
    }),
  /** A terminal's Ctrl-C reaches this process too. */
  interrupted: async () => {
    process.kill(process.pid, 'SIGINT');
    await new Promise((resolve) => process.once('SIGINT', resolve));
    return 'still here';
  },
});
