/** What is picked in the UI as a job. */
import type { JobInput } from '../job/index.js';
import { withStoredHardware } from './stored-hardware.js';
import type { TaskChoice } from '../tui/services.js';

export const toJobInput = ({ model, hardware, chips, batch }: TaskChoice): JobInput =>
  withStoredHardware({ model, hardware, chips, batch });
