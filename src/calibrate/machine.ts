/** What measurements of a machine's own devices hang on. */
import { availableParallelism, cpus } from 'node:os';
import { z } from 'zod';
import { packageVersion } from '../package-root.js';
import type { FamilyName } from '../runtime/kernels/families.js';
import { FAMILY_NAMES } from '../runtime/kernels/families.js';

export const fingerprintForm = z.object({
  processor: z.string(),
  /** That a process may use at once. */
  cores: z.number().int().positive(),
  node: z.string(),
  family: z.enum(FAMILY_NAMES),
  /** Version of this package, whose kernels were measured. */
  package: z.string(),
});
export type Fingerprint = z.infer<typeof fingerprintForm>;
export type Machine = Pick<Fingerprint, 'processor' | 'cores'>;

export const machineHere = (): Machine => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
});

export const fingerprintHere = (family: FamilyName): Fingerprint => ({
  ...machineHere(),
  node: process.version,
  family,
  package: packageVersion(),
});

/** Whether numbers of one machine are about the other: of newer software they are until a run says otherwise. */
export const isSameMachine = (one: Machine, other: Machine): boolean =>
  one.processor === other.processor && one.cores === other.cores;
