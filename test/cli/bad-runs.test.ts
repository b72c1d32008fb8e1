/** Whatever is wrong with a file of measured runs: one message with code, place, expected and got, status 2, nothing touched. */
import { rowOf } from '../validate/rows.js';
import type { Case } from './refusals.js';
import { describeRefusals } from './refusals.js';

const RUN = JSON.stringify(rowOf());
const runs: Case[] = [
  ['measured runs that are not there', 'validate --runs none.jsonl', 'DATA_NOT_FOUND', '--runs', ['no such file']],
  ['a folder of measured runs', 'validate --runs .', 'DATA_NOT_FOUND', '--runs', ['a directory']],
  ['no measured runs', 'validate --runs a.jsonl', 'RUN_INVALID', 'a.jsonl', ['got none'], { 'a.jsonl': '\n' }],
  [
    'a measured run that is cut off',
    'validate --runs a.jsonl',
    'RUN_INVALID',
    'a.jsonl:2',
    ['one JSON object a line'],
    { 'a.jsonl': `${RUN}\n${RUN.slice(0, 80)}\n` },
  ],
  [
    'a measured run on less than a chip',
    'validate --runs a.jsonl',
    'RUN_INVALID',
    'a.jsonl:1 (hardware.chips)',
    ['at least 1', 'got 0'],
    { 'a.jsonl': JSON.stringify(rowOf({ hardware: { chips: 0 } })) },
  ],
  [
    'a set that no run is of',
    'validate --runs a.jsonl --set same',
    'USAGE',
    '--set',
    ['one of some', 'got same', 'did you mean some?'],
    { 'a.jsonl': RUN },
  ],
  [
    'a page where there is something already',
    'validate --runs a.jsonl --html a.jsonl',
    'RUN_EXISTS',
    'a.jsonl',
    ['a file that does not exist'],
    { 'a.jsonl': RUN },
  ],
];

describeRefusals('of measured runs', runs);
