// Compares two pictures of the same sheet, frame by frame, in cells of 60 pixels: coarse enough for other fonts. A distance is the mean
// difference of colours, by what it is between the kept frame and an empty one of its most frequent colour.
{
  const { widths, height, rows } = settings;
  const CELL = 60;
  // The kept picture is smaller by this.
  const SCALE = 3;

  // Not `decode`: the browser's fast time does not wait for it.
  const load = (source) => new Promise((resolve, reject) => {
    const image = new Image();
    image.addEventListener("load", () => resolve(image));
    image.addEventListener("error", () => reject(new Error("no picture")));
    image.src = source;
  });
  const canvas = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

  // Each square of `size` pixels by its mean. The browser's own way to a much smaller picture leaves most pixels out.
  function smaller(image, size) {
    const pen = canvas(image.width, image.height).getContext("2d");
    pen.drawImage(image, 0, 0);
    const { data } = pen.getImageData(0, 0, image.width, image.height);
    const small = new ImageData(image.width / size, image.height / size);
    const sums = new Float64Array(small.data.length);
    for (let y = 0; y < small.height * size; y++) {
      for (let x = 0; x < small.width * size; x++) {
        const [from, to] = [4 * (y * image.width + x), 4 * (Math.floor(y / size) * small.width + Math.floor(x / size))];
        for (let part = 0; part < 4; part++) {
          sums[to + part] += data[from + part];
        }
      }
    }
    small.data.set(sums.map((sum) => Math.round(sum / size ** 2)));
    return small;
  }

  // The colours of a frame's cells: [red, green, blue].
  function cells(sheet, left, top, width) {
    const places = Array.from({ length: (width / CELL) * (height / CELL) }, (_, cell) =>
      4 * ((top / CELL + Math.floor(cell / (width / CELL))) * sheet.width + left / CELL + (cell % (width / CELL))));
    return places.map((place) => [...sheet.data.slice(place, place + 3)]);
  }

  const difference = (one, other) =>
    one.reduce((sum, colour, cell) => sum + colour.reduce((all, part, place) => all + Math.abs(part - other[cell][place]), 0), 0);
  function empty(colours) {
    const counts = new Map();
    for (const colour of colours) {
      const key = colour.map((part) => part >> 2).join();
      counts.set(key, { colour, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    const most = [...counts.values()].reduce((best, one) => (one.count > best.count ? one : best));
    return colours.map(() => most.colour);
  }

  async function compare() {
    const [kept, seen] = await Promise.all([load(settings.kept), load(settings.seen)]);
    const [keptCells, seenCells] = [smaller(kept, CELL / SCALE), smaller(seen, CELL)];
    const distances = [];
    for (let row = 0; row < rows; row++) {
      let left = 0;
      for (const width of widths) {
        const [was, is] = [keptCells, seenCells].map((sheet) => cells(sheet, left, row * height, width));
        distances.push(difference(was, is) / difference(was, empty(was)));
        left += width;
      }
    }
    const small = canvas(seen.width / SCALE, seen.height / SCALE);
    small.getContext("2d").putImageData(smaller(seen, SCALE), 0, 0);
    return { distances, small: small.toDataURL("image/jpeg", 0.6) };
  }

  compare().catch((error) => ({ error: String(error) })).then((outcome) => {
    document.body.append(Object.assign(document.createElement("pre"), { id: "outcome", textContent: btoa(JSON.stringify(outcome)) }));
  });
}
