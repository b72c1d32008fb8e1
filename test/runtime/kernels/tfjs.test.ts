import { describeConformance } from './conformance.js';

await describeConformance('tfjs-wasm');
await describeConformance('tfjs-node');
