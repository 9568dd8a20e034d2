// Data of the page: deflated JSON in base64, each piece in an element of its own.

const unpacked = new Map();
const KEPT_BLOCKS = 24;

async function unpack(id) {
  const text = atob(document.getElementById(id).textContent);
  // A plain loop: ten times as fast as mapping each character.
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) {
    bytes[place] = text.charCodeAt(place);
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

// A piece of data as a promise. The newest are kept, so that going back and forth unpacks nothing twice.
function piece(id) {
  const known = unpacked.get(id);
  if (known) {
    return known;
  }
  const promise = unpack(id);
  unpacked.set(id, promise);
  const blocks = [...unpacked.keys()].filter((key) => key.startsWith("block-"));
  if (blocks.length > KEPT_BLOCKS) {
    unpacked.delete(blocks[0]);
  }
  return promise;
}

// Index and queries of a run, with what follows from them: where each group's responses begin, and its place in its block.
const opened = new Map();

function openRun(run) {
  if (!opened.has(run)) {
    opened.set(run, readRun(run));
  }
  return opened.get(run);
}

async function readRun(run) {
  const [index, records] = await Promise.all([piece(`index-${run}`), piece(`queries-${run}`)]);
  const { groups } = index;
  const firstResponse = [];
  const placeInBlock = [];
  const ofQuery = index.queries.map(() => []);
  let responses = 0;
  for (let group = 0; group < groups.step.length; group++) {
    firstResponse.push(responses);
    responses += groups.size[group];
    const isNext = group > 0 && groups.block[group] === groups.block[group - 1];
    placeInBlock.push(isNext ? placeInBlock[group - 1] + 1 : 0);
    ofQuery[groups.query[group]].push(group);
  }
  const queries = new Map(records.map((record) => [record.query, record]));
  return { ...index, run, queryRecords: queries, firstResponse, placeInBlock, ofQuery };
}

async function groupRecord(data, group) {
  const block = await piece(`block-${data.run}-${data.groups.block[group]}`);
  return block[data.placeInBlock[group]];
}

// Outcomes of a group's responses: 0 wrong, 1 right, 2 without an answer, 3 not scored.
function outcomes(data, group) {
  const first = data.firstResponse[group];
  return data.responses.outcome.slice(first, first + data.groups.size[group]);
}

function rightShare(data, group) {
  const all = outcomes(data, group);
  return { right: all.filter((outcome) => outcome === 1).length, all: all.length };
}
