/** The worker module of looks. */
import { createLook } from './plan-look-task.js';

export default createLook();
