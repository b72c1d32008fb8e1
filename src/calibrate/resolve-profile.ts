/** A profile's documents as the simulator reads them. */
import { hardwareFrom, stackFrom } from '../hardware/index.js';
import type { ResolvedProfile } from './subjects.js';
import type { ProfileDocuments } from './terms.js';

/** @throws MeshwrightError QUANTITY_INVALID, HARDWARE_INVALID */
export const resolveProfile = ({ hardware, stack }: ProfileDocuments): ResolvedProfile => ({
  hardware: hardwareFrom(hardware, `the calibrated profile of ${hardware.name}`),
  stack: stackFrom(stack, `the calibrated stack of ${stack.name}`),
});
