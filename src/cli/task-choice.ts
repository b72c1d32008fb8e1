/** What is picked in the UI as a job. */
import type { JobInput } from '../job/index.js';
import type { TaskChoice } from '../tui/services.js';

export const toJobInput = ({ model, hardware, chips, batch }: TaskChoice): JobInput => ({
  model,
  hardware,
  chips,
  batch,
});
