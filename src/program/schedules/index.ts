export * from './automatic.js';
export * from './check.js';
export * from './orders.js';
export * from './place-weights.js';
export * from './schedule.js';
export * from './slot-times.js';
export * from './timeline.js';
export * from './v-order.js';
