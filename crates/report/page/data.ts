// Data of the page: deflated JSON in base64, each piece in an element of its own.

import type { GroupRecord, Index, Outcome, QueryRecord } from "./records.js";

/** Index and queries of a run, with what follows from them. */
export interface Opened extends Index {
  /** The run's place on the page. */
  run: number;
  queryRecords: Map<string, QueryRecord>;
  /** Of each group: the place of its first response, and its own place in its block. */
  firstResponse: number[];
  placeInBlock: number[];
  /** The groups of each query. */
  ofQuery: number[][];
}

const unpacked = new Map<string, Promise<unknown>>();
const KEPT_BLOCKS = 24;

/** An entry that must be there: data that contradict themselves are a fault with a place, never a silent `undefined`. */
export function at<T>(list: ArrayLike<T>, place: number): T {
  if (!(place >= 0 && place < list.length)) {
    throw new RangeError(`entry ${place} of a list of ${list.length}`);
  }
  return list[place] as T;
}

/** The value in the element `id`; what it holds is the caller's word, which is that of `src/page.rs`. */
export async function unpack<T>(id: string): Promise<T> {
  const text = atob(document.getElementById(id)?.textContent ?? "");
  // A plain loop: ten times as fast as mapping each character.
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) {
    bytes[place] = text.charCodeAt(place);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json() as Promise<T>;
}

/** A piece of data as a promise. The newest are kept, so that going back and forth unpacks nothing twice. */
function piece<T>(id: string): Promise<T> {
  const known = unpacked.get(id);
  if (known) {
    return known as Promise<T>;
  }
  const promise = unpack<T>(id);
  unpacked.set(id, promise);
  const blocks = [...unpacked.keys()].filter((key) => key.startsWith("block-"));
  if (blocks.length > KEPT_BLOCKS) {
    unpacked.delete(at(blocks, 0));
  }
  return promise;
}

const opened = new Map<number, Promise<Opened>>();

export function openRun(run: number): Promise<Opened> {
  const known = opened.get(run) ?? readRun(run);
  opened.set(run, known);
  return known;
}

async function readRun(run: number): Promise<Opened> {
  const [index, records] = await Promise.all([piece<Index>(`index-${run}`), piece<QueryRecord[]>(`queries-${run}`)]);
  const { groups } = index;
  const firstResponse: number[] = [];
  const placeInBlock: number[] = [];
  const ofQuery: number[][] = index.queries.map(() => []);
  let responses = 0;
  let [block, inBlock] = [-1, 0];
  for (let group = 0; group < groups.step.length; group++) {
    firstResponse.push(responses);
    responses += at(groups.size, group);
    inBlock = at(groups.block, group) === block ? inBlock + 1 : 0;
    block = at(groups.block, group);
    placeInBlock.push(inBlock);
    at(ofQuery, at(groups.query, group)).push(group);
  }
  const queryRecords = new Map(records.map((record) => [record.query, record]));
  return { ...index, run, queryRecords, firstResponse, placeInBlock, ofQuery };
}

export async function groupRecord(data: Opened, group: number): Promise<GroupRecord> {
  const block = await piece<GroupRecord[]>(`block-${data.run}-${at(data.groups.block, group)}`);
  return at(block, at(data.placeInBlock, group));
}

export function queryOf(data: Opened, group: number): string {
  return at(data.queries, at(data.groups.query, group));
}

/** Every group of a group's query, in order. */
export function alikeGroups(data: Opened, group: number): number[] {
  return at(data.ofQuery, at(data.groups.query, group));
}

/** Outcomes of a group's responses. */
export function outcomes(data: Opened, group: number): Outcome[] {
  const first = at(data.firstResponse, group);
  return data.responses.outcome.slice(first, first + at(data.groups.size, group));
}

export function rightShare(data: Opened, group: number): { right: number; all: number } {
  const all = outcomes(data, group);
  return { right: all.filter((outcome) => outcome === 1).length, all: all.length };
}
