/** A diagnostic of every code that no recipe alone can get: of models, plans, runs, data, imports and the command line. */
import * as cli from './cli.ts';
import * as data from './data.ts';
import * as declarations from './declarations.ts';
import * as folder from './folder.ts';
import * as imports from './import.ts';
import * as model from './model.ts';
import * as project from './project.ts';
import * as quality from './quality.ts';
import * as run from './run.ts';
import { planSamples } from './plan-samples.ts';
import { marked, plain, type Sample } from './sample.ts';
import * as write from './write.ts';

const encoder = { name: 'input_ids', type: 'int64', shape: '[batch, 128]' };

const ran: Readonly<Record<string, Sample>> = {
	'model/not-found': plain(model.notFound({ path: 'modle.onnx', cause: 'there is no such file' })),
	'model/malformed': plain(model.malformed({ problem: 'a field ends beyond its message', offset: 41_210 })),
	'model/tensor-size': plain(model.badTensor({ name: 'encoder.weight', found: 512, expected: 1024 })),
	'model/external-path': plain(
		model.externalPath({
			name: 'encoder.weight',
			location: '../weights.bin',
			why: 'climbs out of the folder',
		}),
	),
	'model/external-missing': plain(
		model.externalMissing({
			...{ name: 'encoder.weight', path: 'models/model.onnx.data', model: 'model.onnx' },
			cause: 'there is no such file',
		}),
	),
	'model/external-short': plain(
		model.externalShort({
			...{ name: 'encoder.weight', path: 'models/model.onnx.data' },
			...{ needed: 438_001_664, found: 134, isPointer: true },
		}),
	),
	'model/structure': plain(model.structure({ problem: "'Add_3' reads 'x7' before it is made" })),
	'run/no-onnxruntime': plain(run.noRuntime({})),
	'run/inside-body': plain(run.insideBody({ value: '/decoder/hidden' })),
	'run/session-failed': plain(
		run.sessionFailed({ which: 'original', cause: 'Got invalid dimensions for input: x' }),
	),
	'verify/proof-failed': plain(run.proofFailed({ output: 'logits', error: 0.0312, tolerance: 1.2e-5 })),
	'verify/certificate-failed': plain(
		run.certificateFailed({
			of: '/layer.0/ffn/up',
			says: 'singular values',
			expected: 0.0123,
			measured: 0.0456,
			tolerance: 1e-6,
		}),
	),
	'verify/weak-proof': plain(run.proofWeak({ statement: 'prune heads [0] in layers [2]' })),
	'verify/expectation': plain(run.notMet({ text: 'expect cosine >= 0.98', value: '0.9512' })),
	'verify/slower': plain(run.slower({ before: 12.1, after: 13.4, ratio: 1.14 })),
	'verify/other-result': plain(run.otherResult({ path: 'small.onnx', original: 'model.onnx' })),
	'write/exists': plain(write.exists({ path: 'small.onnx' })),
	'write/failed': plain(write.failed({ path: 'small.onnx', cause: 'no space left', needed: 438_001_664 })),
	'write/config': plain(
		folder.configWritten({
			changes: ['num_hidden_layers 12 -> 10'],
			uneven: ['intermediate_size: 3072, 2048'],
			below: ['text_config.num_attention_heads'],
			fits: ['transformers.js'],
			unfit: ['optimum: layers differ'],
		}),
	),
	'write/networks-apart': plain(
		folder.networksApart({
			...{ name: 'last_hidden_state', from: 512, to: 384 },
			decoders: ['onnx/decoder_model.onnx'],
		}),
	),
	'write/scores-renumbered': plain(folder.scoresRenumbered({ name: 'logits', from: 32_128, to: 8192 })),
	'write/same-models': plain(folder.siblingsGo({ names: ['model_fp16.onnx', 'model_quantized.onnx'] })),
	'write/other-models': plain(
		folder.siblingStays({
			name: 'model_quantized.onnx',
			why: 'the recipe takes other units of it than of the model',
		}),
	),
	'write/older-models': plain(folder.olderStands({ names: ['onnx/model_quantized.onnx'] })),
	'write/other-network': plain(
		folder.networkTakes({ name: 'decoder_model.onnx', took: ['prune ffn 50%: 48 of 96 neurons'] }),
	),
	'write/network-stays': plain(
		folder.networkStays({ names: ['decoder_model.onnx'], why: 'there is no layer 7: this model has 6' }),
	),
	'write/plan-of-one': plain(folder.planOfOne({ names: ['model_fp16.onnx'] })),
	'write/other-losses': plain(folder.otherLosses({})),
	'cli/usage': plain(cli.usage({ problem: "unknown option '--modle'", near: '--model' })),
	'cli/unreadable': plain(cli.unreadable({ path: 'recipe.prune', cause: 'there is no such file' })),
	'cli/no-such-code': plain(cli.noSuchCode({ code: 'check/unknown-targt', near: 'check/unknown-target' })),
	'cli/interrupted': plain(cli.interrupted({})),
	'cli/bug': plain(
		cli.internal(
			{ problem: 'a step of no technique {"step":"prune-x"}', version: '1.2.3' },
			{ at: 'run.ts:110:12' },
		),
	),
};

const read: Readonly<Record<string, Sample>> = {
	'data/no-file': plain(data.noFile({ path: 'calib.jsonl', cause: 'there is no such file' })),
	'data/unreadable': plain(data.unreadableData({ path: 'calib.npz', why: 'it is no archive' })),
	'data/unknown-format': plain(
		data.unknownFormat({ path: 'calib.xlsx', extension: '.xlsx', known: ['.csv', '.jsonl', '.npy'] }),
	),
	'data/empty': plain(data.noData({ path: 'calib', what: 'file that is read' })),
	'data/bad-row': plain(data.badRow({ why: 'the line is no JSON' }, { at: 'calib.jsonl:12' })),
	'data/more-bad-rows': plain(data.moreBadRows({ count: 7, of: 128 })),
	'data/missing-input': plain(
		data.inputMissing(
			{ missing: ['input_ids'], wanted: [encoder], offered: ['ids int64 [8, 128]'] },
			{ at: 'calib.npz' },
		),
	),
	'data/misfit': plain(
		data.misfit(
			{ name: 'input_ids', found: 'int64 [8, 64]', why: 'axis 1 is 128', wanted: encoder },
			{ at: 'calib.npz' },
		),
	),
	'data/no-text-column': plain(data.noTextColumn({ columns: ['first', 'second'] })),
	'data/no-tokenizer': plain(data.noTokenizer({ folder: 'models/bert' })),
	'data/side-file': plain(data.badSideFile({ path: 'models/bert/tokenizer.json', why: 'it is no JSON' })),
	'data/unfit-model': plain(
		data.unfitModel({ what: 'images', why: 'it takes no float array of rank 4', wanted: [encoder] }),
	),
	'data/unknown-tokens': plain(
		data.unknownTokens({ path: 'tokens.txt', names: ['tabel'], count: 1, where: 'tokenizer.json' }),
	),
	'data/no-dictionary': plain(data.noDictionary({ path: 'tokens.txt', folder: 'models/bert' })),
	'data/unknown-metric': plain(quality.unknownQuality({ found: 'acuracy', known: ['accuracy', 'f1'] })),
	'data/metric-unfit': plain(quality.metricUnfit({ metric: 'characters', model: 'recognizer.onnx' })),
	'data/nothing-to-measure': plain(quality.noQuality({ model: 'encoder.onnx' })),
	'data/unknown-class': plain(quality.unknownClass({ found: 'entailmnt', classes: 3, names: 3 })),
	'check/not-json': plain(declarations.notJson({ reason: 'Unexpected end of JSON input', spelling: 'JSON' })),
	'check/schema': plain(
		declarations.schemaMismatch({
			problem: '`steps.0` has no field `amonut`',
			hint: '`amount` is the nearest spelling',
		}),
	),
	'check/param-kind': marked('param measure = l2', 'measure', (place) =>
		declarations.paramKind({ name: 'measure', given: '25%', kind: 'a word', example: 'l2' }, place),
	),
};

const use = 'use "./common/hlaf.prune" as half';
const named = (address: string): string => `use "${address}"`;

const brought: Readonly<Record<string, Sample>> = {
	'import/address': marked(named('/etc/half.prune'), '"/etc/half.prune"', (place) =>
		imports.badAddress(
			{ address: '/etc/half.prune', why: 'it is an absolute path', instead: './half.prune' },
			place,
		),
	),
	'import/outside': marked(named('../../half.prune'), '"../../half.prune"', (place) =>
		imports.outside({ address: '../../half.prune', root: 'recipes' }, place),
	),
	'import/not-found': marked(use, '"./common/hlaf.prune"', (place) =>
		imports.notFound(
			{ address: './common/hlaf.prune', name: 'hlaf.prune', near: ['half.prune', 'lite.prune'] },
			place,
		),
	),
	'import/not-a-file': marked(named('./common'), '"./common"', (place) =>
		imports.notAFile({ address: './common', what: 'a folder' }, place),
	),
	'import/unreadable': marked(named('./half.prune'), '"./half.prune"', (place) =>
		imports.unreadableImport({ address: './half.prune', cause: 'EACCES' }, place),
	),
	'import/too-large': marked(named('./half.prune'), '"./half.prune"', (place) =>
		imports.tooLarge({ address: './half.prune', bytes: 2_000_000, limit: 2 ** 20 }, place),
	),
	'import/not-text': marked(named('./half.prune'), '"./half.prune"', (place) =>
		imports.notText({ address: './half.prune' }, place),
	),
	'import/cycle': marked(named('./half.prune'), '"./half.prune"', (place) =>
		imports.cycle({ path: ['half.prune', 'lite.prune', 'half.prune'] }, place),
	),
	'import/too-deep': marked(named('./half.prune'), '"./half.prune"', (place) =>
		imports.tooDeep({ address: './half.prune', limit: 32 }, place),
	),
	'import/too-many': marked(named('./half.prune'), '"./half.prune"', (place) =>
		imports.tooMany({ address: './half.prune', limit: 256 }, place),
	),
	'import/too-many-statements': marked('apply half', 'apply half', (place) =>
		imports.tooManyStatements({ limit: 100_000 }, place),
	),
	'import/not-locked': marked(
		named('npm:@acme/recipes/half.prune'),
		'"npm:@acme/recipes/half.prune"',
		(place) => imports.notLocked({ address: 'npm:@acme/recipes/half.prune' }, place),
	),
	'import/not-stored': marked(
		named('npm:@acme/recipes/half.prune'),
		'"npm:@acme/recipes/half.prune"',
		(place) => imports.notStored({ address: 'npm:@acme/recipes/half.prune' }, place),
	),
	'import/changed': marked(named('npm:@acme/recipes/half.prune'), '"npm:@acme/recipes/half.prune"', (place) =>
		imports.changedImport(
			{ address: 'npm:@acme/recipes/half.prune', locked: 'sha256-1f6a…', found: 'sha256-9b02…' },
			place,
		),
	),
	'import/lock': plain(imports.lockInvalid({ path: 'prune.lock', why: 'it is no JSON' })),
	'import/lock-stale': plain(imports.lockStale({ changes: ['adds npm:@acme/recipes'] })),
	'import/remote-local': plain(
		imports.remoteLocal({ address: 'git+file:///srv/recipes.git//half.prune#v1' }),
	),
	'import/local-repository': plain(imports.localRepository({ address: 'git+file:///srv/recipes.git#v1' })),
	'import/private-host': plain(imports.privateHost({ host: 'git.example.org', found: '10.0.0.7' })),
	'import/fetch-failed': plain(
		imports.fetchFailed({ address: 'npm:@acme/recipes', cause: 'the registry answers 404', hint: undefined }),
	),
	'import/store': plain(
		imports.storeOutside({ path: '.prunec/imports', why: 'it is a link that leads out of the repository' }),
	),
	'import/repeated': marked('use "./half.prune"\nuse "./half.prune"', '"./half.prune"', (place) =>
		imports.repeatedUse({ address: './half.prune' }, place),
	),
	'import/unused': marked('use "./half.prune" as half', 'half.prune', (place) =>
		imports.unusedName({ name: 'half' }, place),
	),
	'import/unknown-argument': marked('apply half(shar = 25%)', 'shar', (place) =>
		imports.unknownArgument({ found: 'shar', recipe: 'half', known: ['share'] }, place),
	),
	'import/param-clash': marked('param share = 25%', 'share', (place) =>
		imports.paramClash({ name: 'share', other: 'common/half.prune' }, place),
	),
	'import/remote-data': plain(imports.remoteData({ statement: 'calibrate', path: 'calib.jsonl' })),
	'import/remote-file': plain(imports.remoteFile({})),
	'project/none': plain(project.noProject({ folder: 'recipes' })),
	'project/not-yaml': plain(
		project.notYaml({ reason: 'Nested mappings are not allowed in compact mappings' }),
	),
	'project/schema': plain(
		project.yamlMismatch({
			problem: '`models.small` has no field `fil`',
			hint: '`file` is the nearest spelling',
		}),
	),
	'project/no-tests': plain(project.noTests({ folder: 'recipes' })),
	'project/no-recipe': plain(project.noRecipe({ path: 'recipes/lite.prune' })),
	'project/unknown-model': plain(project.unknownModel({ name: 'smal', known: ['small', 'large'] })),
	'project/model-missing': plain(
		project.modelMissing({ name: 'small', why: 'there is no file models/small.onnx' }),
	),
	'project/index-stale': plain(project.indexStale({ files: ['index.json', 'README.md'] })),
};

/** By code. */
export const samples: Readonly<Record<string, Sample>> = { ...planSamples, ...ran, ...read, ...brought };
