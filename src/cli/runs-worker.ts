/** The worker module of what the UI asks of runs that are over. */
export { answerSafely as default } from './runs-task.js';
