// The data of the page, as `src/page.rs` and the records of a run write them; what the page does not read is left out.

/** Read at once; responses and queries follow when they are looked at. */
export interface Head {
  runs: Run[];
  comparisons: Paired[];
}

export interface Run {
  name: string;
  folder: string;
  glance: Glance;
  charts: ChartRecord[];
  epochs: Epoch[];
  difficulties: Difficulty[];
  weights: Weights | null;
  rollouts: RolloutsHead;
}

/** Weights of the reward's parts; the ranking has weight 1. */
export interface Weights {
  format: number;
  query: number;
  preference: number;
}

export interface RolloutsHead {
  groups: number;
  responses: number;
  queries: number;
  /** Bytes of the page that they take. */
  bytes: number;
  /** Of so many queries one is in the page. */
  every: number;
}

export interface Glance {
  subject: string | null;
  state: string;
  settings: { key: string; value: string }[];
  worries: Worry[];
  notes: string[];
  table: AccuracyTable;
  gain: Paired | null;
}

export interface Worry {
  title: string;
  text: string;
  /** One of the filters of the rollouts and its value: `flag=no box`. */
  filter: string | null;
}

export interface AccuracyTable {
  columns: string[];
  rows: { class: string; asked: number; guess: number; cells: Cell[] }[];
}

/** A share of right answers with its 95 % interval, in [0, 1]. */
export interface Cell {
  right: number;
  asked: number;
  low: number;
  high: number;
}

export interface Paired {
  first: string;
  second: string;
  rows: PairedRow[];
}

export interface PairedRow {
  class: string;
  queries: number;
  both: number;
  only_first: number;
  only_second: number;
  /** Of shares, in [-1, 1]. */
  difference: number;
  low: number;
  high: number;
  p: number;
}

/** Step and value. */
export type Point = readonly [number, number];

export interface LineRecord {
  name: string;
  points: Point[];
}

export interface ChartRecord {
  id: string;
  title: string;
  section: string;
  /** The largest value that there can be. */
  most: number | null;
  lines: LineRecord[];
}

export interface Epoch {
  epoch: number;
  first: number;
  last: number;
}

export interface Difficulty {
  class: string;
  epochs: number[];
  /** For each epoch the counts of bins over [0, 1]. */
  counts: number[][];
}

/** What groups and responses are found by, in columns. */
export interface Index {
  queries: string[];
  classes: string[];
  /** The names of a response's bits, lowest first. */
  flags: string[];
  /** One entry for each group, in the order of the file. */
  groups: {
    step: number[];
    epoch: number[];
    query: number[];
    class: number[];
    kind: GroupKind[];
    block: number[];
    size: number[];
  };
  /** One entry for each response, group by group. */
  responses: { outcome: Outcome[]; flags: number[] };
}

export type GroupKind = "with_hit" | "shaped_only" | "without_signal";

/** Wrong, right, without an answer, not scored. */
export type Outcome = 0 | 1 | 2 | 3;

export interface QueryRecord {
  query: string;
  conversation: { role: string; content: string }[];
  targets: string[];
  candidates?: string[];
}

export interface GroupRecord {
  step: number;
  epoch: number;
  query: string;
  class: string;
  kind: GroupKind;
  replaced?: boolean;
  baseline?: number;
  responses: ResponseRecord[];
}

export interface ResponseRecord {
  sample: number;
  text: string;
  tokens: number;
  token_byte_lens?: number[];
  finish: string;
  log_prob: number;
  reward: Reward | null;
  error?: string;
  steps: Step[];
}

/** Bytes of a text, or tokens. */
export interface Span {
  start: number;
  end: number;
}

export interface Step {
  span: Span;
  kind: string;
  tokens: Span;
  items: { name: string; is_target: boolean; is_recommended: boolean; spans?: Span[] }[];
  ratio: number;
  penalised: boolean;
  advantage: number;
}

export interface Reward {
  format: number;
  ranking: number;
  query_alignment: number | null;
  preference_alignment: number | null;
  terms?: Record<string, number>;
  total: number;
  hit: boolean;
  flags: string[];
  answer: { span: Span; items: AnswerItem[] } | null;
}

export interface AnswerItem {
  text: string;
  span: Span;
  id: string | null;
  flag: string | null;
}
