import { describeConformance } from './conformance.js';

await describeConformance('onnx-cuda');
