export type * from './document.js';
export { CATEGORIES, partColour } from './categories.js';
export { reportPage } from './page.js';
