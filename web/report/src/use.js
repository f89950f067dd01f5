// How to run a net without Lathe.
import { h, newId, replace } from './dom.js';
import { list, ms, num, object, percent, plain, text } from './format.js';
import { code } from './net.js';

function expects(run, answer) {
  const input = run.input;
  const gray = text(input.input_colors) === 'gray';
  const channels =
    num(run.device.in_channels) ??
    (list(object(input.normalization).mean).length || (gray ? 1 : 3));
  const size = answer.inputSize ?? num(input.input_size) ?? num(run.device.input_size);
  return {
    channels,
    size,
    colors: text(input.input_colors) ?? (channels === 1 ? 'gray' : 'RGB'),
    pixels: Array.isArray(input.input_range),
    classes: list(input.classes).filter((c) => typeof c === 'string'),
  };
}

const onePerLine = (names) => JSON.stringify(names);

function snippets({ dir, model, float32Test }, e) {
  const shape = `1, ${e.channels}, ${e.size}, ${e.size}`;
  const file = (name) => JSON.stringify(`${dir ? `${dir}/` : ''}${name}`);
  const names = e.classes.length > 0 && e.classes.length <= 100 ? e.classes : null;
  const inFloat32 = float32Test === null ? '' : ', in float32';
  const what = `float32 [N, ${e.channels}, ${e.size}, ${e.size}]: ${e.colors} pixels in [0, 1]`;
  return {
    'ONNX Runtime, Python': [
      model,
      [
        'import numpy as np',
        'import onnxruntime',
        '',
        ...(names ? [`classes = ${onePerLine(names)}`] : []),
        `session = onnxruntime.InferenceSession(${file(model)})`,
        `image = np.zeros((${shape}), np.float32)  # ${what}`,
        'logits, = session.run(["logits"], {"input": image})',
        names ? 'print(classes[logits[0].argmax()])' : 'print(logits[0].argmax())',
      ],
    ],
    'ONNX Runtime, JavaScript': [
      model,
      [
        "import * as ort from 'onnxruntime-node';  // in a browser: onnxruntime-web",
        '',
        ...(names ? [`const classes = ${onePerLine(names)};`] : []),
        `const session = await ort.InferenceSession.create(${file(model)});`,
        `// ${what}`,
        `const image = new ort.Tensor('float32', new Float32Array(${e.channels * e.size * e.size}), [${shape}]);`,
        'const { logits } = await session.run({ input: image });',
        'const best = logits.data.indexOf(Math.max(...logits.data));',
        names ? 'console.log(classes[best]);' : 'console.log(best);',
      ],
    ],
    [`TorchScript, C++${inFloat32}`]: [
      'model.pt',
      [
        '#include <torch/script.h>',
        '',
        `torch::jit::Module net = torch::jit::load(${file('model.pt')});`,
        'c10::InferenceMode no_gradients;',
        `at::Tensor image = at::zeros({${shape}});  // ${what}`,
        'at::Tensor logits = net.forward({image}).toTensor();',
        'std::int64_t best = logits.argmax(1).item<std::int64_t>();',
      ],
    ],
    [`TorchScript, Python${inFloat32}`]: [
      'model.pt',
      [
        'import torch',
        '',
        ...(names ? [`classes = ${onePerLine(names)}`] : []),
        `net = torch.jit.load(${file('model.pt')})`,
        'with torch.no_grad():',
        `    logits = net(torch.zeros(${shape}))  # ${what}`,
        names ? 'print(classes[logits[0].argmax()])' : 'print(logits[0].argmax())',
      ],
    ],
  };
}

function preparation(run, e) {
  const share = num(object(run.input.resize).center_crop_share);
  const crop =
    share !== null && share < 1
      ? `the middle square of ${plain(100 * share, 1)}% of the shorter side`
      : 'the whole image, or its middle square';
  return (
    `An image becomes input so: ${crop}, resized to ${e.size} × ${e.size} (smaller: mean of the area, larger: ` +
    `bilinear), ${e.colors === 'gray' ? 'gray' : 'red, green, blue'}, each byte divided by 255. The net normalises by itself.`
  );
}

export function use(run, selection) {
  const all = (run.answers.length ? run.answers : run.trained).filter((a) =>
    a.files.some((f) => f.name === a.model || f.name === 'model.pt'),
  );
  if (all.length === 0) return null;
  const name = (a) => (a.targets ? a.targets.map((t) => ms(t.ms)).join(', ') : a.name);
  let answer = all[0];
  let chosen = 'ONNX Runtime, Python';
  const shown = h('div', { role: 'tabpanel' });
  const render = () => {
    const e = expects(run, answer);
    const there = Object.entries(snippets(answer, e)).filter(([, [file]]) =>
      answer.files.some((f) => f.name === file),
    );
    if (!there.some(([key]) => key === chosen)) chosen = there[0][0];
    const group = newId('runtime');
    replace(
      shown,
      h(
        'fieldset',
        { class: 'choice' },
        h('legend', {}, 'With'),
        there.map(([key]) =>
          h(
            'label',
            {},
            h('input', {
              type: 'radio',
              name: group,
              checked: key === chosen,
              onchange: () => {
                chosen = key;
                render();
              },
            }),
            h('span', {}, key),
          ),
        ),
      ),
      code(there.find(([key]) => key === chosen)[1][1].join('\n')),
      e.pixels
        ? h('p', { class: 'note' }, preparation(run, e))
        : h(
            'p',
            { class: 'note' },
            'This run is of a version that does not say what its nets expect: run it with --resume to make its files anew.',
          ),
    );
  };
  const select = h(
    'select',
    {
      'aria-label': 'The net',
      onchange: () => {
        answer = all[select.selectedIndex];
        render();
      },
    },
    all.map((a) => h('option', {}, `${name(a)}: ${percent(a.test)} test top-1`)),
  );
  selection.onChange(() => {
    const at = all.findIndex((a) => a === selection.answer);
    if (at >= 0) {
      select.selectedIndex = at;
      answer = all[at];
      render();
    }
  });
  render();
  return h(
    'div',
    { class: 'use' },
    all.length > 1 ? h('label', { class: 'field' }, h('span', {}, 'Net for'), select) : null,
    shown,
  );
}
