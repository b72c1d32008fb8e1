/** The worker module of the UI's training: of what is around the steps, which processes of their own make. */
export { trainSafely as default } from './train-task.js';
