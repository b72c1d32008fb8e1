/** The worker module of `meshwright validate`. */
export { predictRows as default } from './validate-task.js';
