/** The profiles of this machine, one a kernel family: what they are called, and whether one is about a job's family. */
import { listHardware } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import type { FamilyName } from '../runtime/index.js';
import { DEFAULT_FAMILY } from '../runtime/index.js';
import { stackOf } from './assess.js';
import { storedHardware } from './stored-hardware.js';

/** `local`, `local-tfjs-wasm`. */
export const localName = (family: FamilyName): string => (family === DEFAULT_FAMILY ? 'local' : `local-${family}`);

/** The shipped profile that a family's measurements start from: its own, or that of the same library elsewhere. */
export function shippedBase(family: FamilyName): string {
  const name = localName(family);
  if (listHardware().includes(name)) return name;
  return family.startsWith('tfjs') ? 'local-tfjs-wasm' : 'local';
}

/** The hardware of a job for this machine that names none. */
export function localHardware(family: FamilyName = DEFAULT_FAMILY): string {
  const name = localName(family);
  return storedHardware(name) !== name || listHardware().includes(name) ? name : shippedBase(family);
}

/** Why a profile does not predict a job that trains here: it is of another kernel family. For people. */
export function whyNoPrediction({ hardware, hardwareName, training: { family } }: Job): string | undefined {
  const { kernelFamily } = stackOf({ hardware, hardwareName });
  if (kernelFamily === undefined || kernelFamily === family) return undefined;
  if (family === 'reference')
    return `${hardware.name} is of the family ${kernelFamily}, and the speed of reference is not modelled`;
  return `${hardware.name} is of the family ${kernelFamily}; meshwright profile --family ${family} measures this machine with ${family}`;
}
