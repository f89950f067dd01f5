// A net in the browser: out of one ONNX file, which says itself what it expects and what its
// outputs stand for.
import * as ort from './runtime/ort.wasm.min.mjs';
import { shares } from './shares.mjs';

ort.env.wasm.numThreads = 1; // more need a page that is isolated from other origins
ort.env.logLevel = 'error';

const kMetadataProps = 14; // of ModelProto, each an entry of key 1 and value 2

// The fields of a protobuf message that hold bytes, texts or messages: [number, bytes].
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind === 0) varint();
    else if (kind !== 2) at += kind === 1 ? 8 : 4;
    else {
      const size = varint();
      yield [Math.floor(tag / 8), bytes.subarray(at, (at += size))];
    }
  }
}

// The model's metadata_props, which onnxruntime-web doesn't give.
function metadata(model) {
  const text = (bytes) => new TextDecoder().decode(bytes);
  const props = {};
  for (const [number, entry] of fields(model)) {
    if (number !== kMetadataProps) continue;
    const { 1: key, 2: value } = Object.fromEntries(fields(entry));
    props[text(key)] = text(value);
  }
  return props;
}

export class Net {
  static async load(url) {
    const model = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const net = new Net();
    const props = metadata(model);
    net.size = JSON.parse(props.input_size);
    net.classes = JSON.parse(props.classes);
    net.gray = JSON.parse(props.input_colors) === 'gray';
    net.cropShare = JSON.parse(props.resize).center_crop_share;
    net.session = await ort.InferenceSession.create(model);
    return net;
  }

  // What the net takes of an image, an ImageData: the square in its middle at the net's size, a
  // channel after the other, in [0, 1].
  pixels({ data, width, height }) {
    const side = Math.max(1, Math.round(Math.min(width, height) * this.cropShare));
    const columns = [...shares((width - side) >> 1, side, this.size)];
    const rows = [...shares((height - side) >> 1, side, this.size)];
    const value = this.gray
      ? (at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]
      : (at, channel) => data[at + channel];
    const plane = this.size * this.size;
    const pixels = new Float32Array((this.gray ? 1 : 3) * plane);
    for (let channel = 0; channel * plane < pixels.length; ++channel) {
      for (const [y, fromY, shareY] of rows) {
        for (const [x, fromX, shareX] of columns) {
          const share = (shareY * shareX) / 255;
          pixels[channel * plane + y * this.size + x] +=
            share * value(4 * (fromY * width + fromX), channel);
        }
      }
    }
    return pixels;
  }

  async logits(image) {
    const shape = [1, this.gray ? 1 : 3, this.size, this.size];
    const input = new ort.Tensor('float32', this.pixels(image), shape);
    return (await this.session.run({ input })).logits.data;
  }
}
