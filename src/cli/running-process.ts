/**
 * Which process something belongs to, written down so that others know later whether it is still there: also when its
 * number was given to another one, after the machine was restarted, from a container, and over a shared file system.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';

export const runningProcessForm = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** Of what follows, what the system tells: Linux does. Of a machine, kept when it is restarted. */
  machine: z.string().optional(),
  /** Of a machine's run from one start to the next. */
  boot: z.string().optional(),
  /** Numbers of processes are counted anew in a container. */
  pids: z.string().optional(),
  /** When the process was started, in ticks of the machine's clock since its own start. */
  started: z.string().optional(),
});

export type RunningProcess = z.infer<typeof runningProcessForm>;

function told(read: () => string): string | undefined {
  try {
    return read().trim() || undefined;
  } catch {
    return undefined;
  }
}

/** By proc_pid_stat(5); its second field is the name in brackets, which may have any character. */
function statOf(pid: number | 'self'): { readonly state: string; readonly started: string } | undefined {
  const text = told(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  // The 3rd and the 22nd.
  return fields === undefined ? undefined : { state: fields[0]!, started: fields[19]! };
}

export const processHere = (): RunningProcess => ({
  pid: process.pid,
  host: hostname(),
  machine: told(() => readFileSync('/etc/machine-id', 'utf8')),
  boot: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  pids: told(() => readlinkSync('/proc/self/ns/pid')),
  started: statOf('self')?.started,
});

function hasNumber(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isThere({ pid, started }: RunningProcess): boolean {
  if (!hasNumber(pid)) return false;
  const stat = statOf(pid);
  if (stat === undefined) return true;
  // One that has ended, and whose parent has not asked after it.
  if (stat.state === 'Z' || stat.state === 'X') return false;
  return started === undefined || stat.started === started;
}

const differ = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && other !== undefined && one !== other;

/** `unknown`: it is, or was, where nothing can be seen of it from `here`. */
export function fateOf(one: RunningProcess, here: RunningProcess = processHere()): 'runs' | 'gone' | 'unknown' {
  const counted = (): 'runs' | 'gone' => (isThere(one) ? 'runs' : 'gone');
  const isSameBoot = one.boot !== undefined && one.boot === here.boot;
  if (isSameBoot) return one.pids === here.pids ? counted() : 'unknown';
  if (one.host !== here.host || differ(one.machine, here.machine)) return 'unknown';
  return differ(one.boot, here.boot) ? 'gone' : counted();
}
