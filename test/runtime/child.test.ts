import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import { runInChild } from '../../src/runtime/index.js';
import type { ChildExchange, ChildOptions } from '../../src/runtime/index.js';

const HOST = new URL('../../dist/src/cli/child-host.js', import.meta.url);
const FIXTURE = new URL('child-fixture.mjs', import.meta.url);

const request = (kind: string, options: ChildOptions<ChildExchange> = {}): Promise<unknown> =>
  runInChild(FIXTURE, { kind, args: undefined }, options);

/** A killed process stays listed until its parent, or init, has asked after it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

it('the host answers a ping, telling what it does on the way', async () => {
  const events: unknown[] = [];
  const result = await runInChild(HOST, { kind: 'ping', args: 'hello' }, { onEvent: (event) => events.push(event) });
  expect(result).toBe('hello');
  expect(events).toEqual(['ping hello']);
});

it('the native thread pool is as large as asked for', async () => {
  expect(await request('threads', { poolThreads: 7 })).toBe('7');
});

it('an error arrives as what it was', async () => {
  const refused = await request('refuse').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(MeshwrightError);
  expect(refused).toMatchObject({
    code: 'PLAN_DOES_NOT_FIT',
    exitStatus: 2,
    detail: { place: 'plan.mesh', expected: 'less', got: 'more' },
  });
  await expect(request('stumble')).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining('x is not a function'),
    cause: { name: 'TypeError' },
  });
  await expect(request('unheard-of')).rejects.toThrow(/expected a request among .*never.*, got unheard-of/);
});

it('a child that dies is DEVICE_FAILED, with what it said last', async () => {
  await expect(request('die')).rejects.toMatchObject({
    code: 'DEVICE_FAILED',
    message: expect.stringMatching(/killed by SIGABRT: [^]*a native library said goodbye/),
  });
});

it('a child that is asked to end may still give its result, and is gone', async () => {
  const abort = new AbortController();
  let pid = 0;
  const onEvent = (event: unknown): void => {
    pid = event as number;
    abort.abort();
  };
  expect(await request('untilAborted', { onEvent, signal: abort.signal })).toBe('ended in order');
  expect(isRunning(pid)).toBe(false);
});

it('a child that does not end when asked is killed, and the reason of the signal is given', async () => {
  const abort = new AbortController();
  const reason = new Error('enough');
  let pid = 0;
  const onEvent = (event: unknown): void => {
    pid = event as number;
    abort.abort(reason);
  };
  await expect(request('never', { onEvent, signal: abort.signal, graceSeconds: () => 0.01 })).rejects.toBe(reason);
  expect(isRunning(pid)).toBe(false);
});

it('a child that takes too long is TIMED_OUT', async () => {
  await expect(request('never', { timeoutSeconds: 0.01, graceSeconds: () => 0.01 })).rejects.toMatchObject({
    code: 'TIMED_OUT',
  });
});

it('an interrupt does not end a child', async () => {
  expect(await request('interrupted')).toBe('still here');
});

it('a child does not outlive its parent', async () => {
  const parent = fork(fileURLToPath(new URL('orphan-fixture.mjs', import.meta.url)));
  const [pid] = (await once(parent, 'message')) as [number];
  expect(isRunning(pid)).toBe(true);
  parent.kill('SIGKILL');
  await vi.waitUntil(() => !isRunning(pid), { timeout: 5000, interval: 5 });
});
