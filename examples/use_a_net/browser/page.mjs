// The page: an image from a file or drawn, and what the net makes of it.
import { Net } from './net.mjs';

const canvas = document.querySelector('canvas');
const brush = canvas.getContext('2d', { willReadFrequently: true });
const answer = document.querySelector('tbody');
const net = await Net.load('model.onnx');

function show(logits) {
  const highest = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = weights.reduce((a, b) => a + b);
  const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
  answer.replaceChildren(
    ...order.map((i) => {
      const row = document.createElement('tr');
      const logit = document.createElement('data');
      logit.value = logits[i];
      logit.textContent = logits[i].toFixed(3);
      row.insertCell().textContent = net.classes[i];
      row.insertCell().textContent = `${((100 * weights[i]) / total).toFixed(1)}%`;
      row.insertCell().append(logit);
      return row;
    }),
  );
}

async function classify() {
  const image = brush.getImageData(0, 0, canvas.width, canvas.height);
  show(await net.logits(image));
  answer.dataset.of = canvas.dataset.of;
}

function clear() {
  canvas.width = canvas.height = 8 * net.size;
  canvas.dataset.of = 'drawing';
  brush.fillRect(0, 0, canvas.width, canvas.height);
  answer.replaceChildren();
}

// A file replaces the drawing, in its own size and colours.
document.querySelector('input').addEventListener('change', async ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none' });
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  brush.drawImage(bitmap, 0, 0);
  canvas.dataset.of = file.name;
  await classify();
});

document.querySelector('button').addEventListener('click', clear);

// White on black, as the garments of Fashion-MNIST are.
canvas.addEventListener('pointermove', (event) => {
  if (event.buttons === 0) return;
  brush.strokeStyle = 'white';
  brush.lineWidth = canvas.width / 14;
  brush.lineCap = 'round';
  const scale = canvas.width / canvas.clientWidth;
  brush.beginPath();
  const [x, y] = [event.offsetX, event.offsetY];
  brush.moveTo(scale * (x - event.movementX), scale * (y - event.movementY));
  brush.lineTo(scale * x, scale * y);
  brush.stroke();
});
canvas.addEventListener('pointerup', classify);

clear();
document.body.dataset.ready = 'true';
