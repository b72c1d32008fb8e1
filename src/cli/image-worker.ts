/** The worker module of the image loader: decodes chunks of images on a pool's thread. */
export { decodeChunk as default } from '../train/data/chunk.js';
