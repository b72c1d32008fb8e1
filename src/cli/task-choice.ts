/** What is picked in the UI as a job. */
import type { Job, JobInput } from '../job/index.js';
import { checkPlan, parsePlan, readJob, resolveTask } from '../job/index.js';
import { isPathOfFile } from '../hardware/index.js';
import type { TaskChoice } from '../tui/services.js';
import { withStoredHardware } from './stored-hardware.js';

/**
 * Where the model is a job file, its other blocks are part of the job; the fields win over what it says of theirs.
 *
 * @throws MeshwrightError of a file that can't be read; HARDWARE_UNKNOWN, HARDWARE_INVALID
 */
export function toJobInput({ model, hardware, chips, batch }: TaskChoice): JobInput {
  const fields = { hardware, chips, batch };
  return withStoredHardware(isPathOfFile(model) ? { ...readJob(model), ...fields } : { model, ...fields });
}

/** The plan of a search that has this label. @throws MeshwrightError */
export const jobOfLabel = (choice: TaskChoice, label: string): Job =>
  checkPlan(resolveTask(toJobInput(choice)), parsePlan(label));
