/** What a launch is made of: the kernel's start, its operands and results, copies of these, and the ops' own starts. */
import type { Repeated, RankMeasurements } from './blocks.js';
import type { LaunchName } from './probe-program.js';
import { LAUNCHES, launchId } from './probe-program.js';

export interface LaunchCosts {
  readonly launch: number;
  /** Of each operand and result. */
  readonly port: number;
  /** Of each op more. */
  readonly op: number;
  /** Seconds for a byte that goes in or comes out; 0 where none is copied. */
  readonly perByte: number;
  readonly repeatability: number;
}

const BYTES = 4;
/** Where copies would be a smaller share of a large kernel, what is left over is noise. */
const LEAST_COPIES = 0.1;

export function launchCosts(measured: Pick<RankMeasurements, 'median'>): LaunchCosts {
  const time = (name: LaunchName): Repeated => measured.median(launchId(name));
  const one = time('one');
  const op = Math.max(0, (time('chain').value - one.value) / (LAUNCHES.chain.chain - 1));
  const { beside } = LAUNCHES.ports;
  const port = Math.max(0, (time('ports').value - one.value - (beside - 1) * op) / (2 * (beside - 1)));
  const launch = Math.max(0, one.value - op - 2 * port);
  const large = time('large').value;
  const own = Math.max(0, (time('largeChain').value - large) / (LAUNCHES.largeChain.chain - 1));
  const copies = large - own - launch - 2 * port;
  const perByte = copies < LEAST_COPIES * large ? 0 : copies / (2 * BYTES * LAUNCHES.large.elements);
  return { launch, port, op, perByte, repeatability: one.repeatability };
}

/** What a launch takes of a kernel with so many operands and results, of so many bytes together. */
export const launchSeconds = ({ launch, port, perByte }: LaunchCosts, ports: number, bytes: number): number =>
  launch + ports * port + bytes * perByte;
