/** A diagnostic of every code about plans. */
import * as choosing from './choosing.ts';
import * as exact from './exact.ts';
import * as exit from './exit.ts';
import * as factorize from './factorize.ts';
import * as goals from './goals.ts';
import * as layers from './layers.ts';
import * as plan from './plan.ts';
import * as positions from './positions.ts';
import * as tokens from './tokens.ts';
import { marked, plain, type Sample } from './sample.ts';

const chosen = (
	op: string,
	counts: { count: number; left: number },
): Parameters<typeof choosing.choosesFewer>[0] => ({
	...{ by: `${op} 'router'`, unit: 'experts', of: "the experts of '/moe/gate'" },
	...counts,
});

/** By code. */
export const planSamples: Readonly<Record<string, Sample>> = {
	'plan/empty-range': marked('prune heads 25% in layers 6..12', 'layers 6..12', (place) =>
		plan.emptyRange(
			{
				what: 'layers 6..12',
				count: 6,
				reading: 'layers 6 to 11',
				names: ['encoder.layer.0', 'encoder.layer.5'],
			},
			place,
		),
	),
	'plan/file': plain(plan.notPlan({ path: 'plan.json', why: 'its checksum is another one' })),
	'plan/already-removed': marked('prune heads [2]\nprune heads [2]', '[2]', (place) =>
		plan.alreadyRemoved({ index: 2, what: 'head', where: ' in layer 0' }, place),
	),
	'plan/range-over-removed': marked('prune layers [3]\nprune heads 25% in layers 2..5', '2..5', (place) =>
		plan.rangeOverRemoved({ gone: [3], what: 'layer', where: '' }, place),
	),
	'plan/no-such-unit': marked('prune heads [12] in layers [0]', '[12]', (place) =>
		plan.noSuchUnit({ index: 12, what: 'head', where: ' in layer 0', count: 12 }, place),
	),
	'plan/pinned-axis': marked('prune hidden 25%', 'prune hidden 25%', (place) =>
		plan.pinned(
			{ what: 'the residual width', why: 'graph input \'x\' is frozen without `may change "x"`' },
			{ ...place, at: '/embeddings/Add' },
		),
	),
	'plan/uncounted': plain(plan.uncounted({ before: 38, after: 0 })),
	'plan/nothing-selected': marked('prune heads where importance < 0.01', 'importance < 0.01', (place) =>
		plan.nothingSelected(
			{ what: 'heads', nearest: '; the nearest is head 3 of layer 1, with importance 0.0412' },
			place,
		),
	),
	'plan/everything-selected': marked(
		'prune heads where importance <= 1',
		'prune heads where importance <= 1',
		(place) => plan.everythingSelected({ what: 'heads', count: 12 }, place),
	),
	'plan/aligned-away': marked('prune ffn 5%', 'prune ffn 5%', (place) =>
		plan.alignedAway({ what: ['the 128 neurons of layer 0'], align: 16, fewest: 16 }, place),
	),
	'plan/chooses-fewer': marked('prune experts 3', 'prune experts 3', (place) =>
		choosing.choosesFewer(chosen('MoE', { count: 2, left: 1 }), place),
	),
	'plan/kept-to-choose': marked('prune experts 75%', 'prune experts 75%', (place) =>
		choosing.chosenAmong(chosen('TopK', { count: 2, left: 2 }), place),
	),
	'plan/too-few-to-choose': marked('prune experts [0, 1, 2]', 'prune experts [0, 1, 2]', (place) =>
		choosing.tooFewToChoose(chosen('TopK', { count: 2, left: 1 }), place),
	),
	'plan/rank-saves-nothing': marked('factorize ffn rank 700', 'rank 700', (place) =>
		plan.noGain({ where: '/layer.0/ffn/up (768 x 3072)', rank: 700, most: 614 }, place),
	),
	'plan/needs-data': marked('prune layers 2 by block_influence', 'block_influence', (place) =>
		plan.needsData({ metric: 'block_influence' }, place),
	),
	'plan/cannot-ablate': marked('prune hidden 25% by ablation', 'prune hidden 25%', (place) =>
		plan.cannotAblate({ metric: 'ablation', what: "the width from 'x'" }, place),
	),
	'plan/no-reader': marked('prune units 25% by wanda', 'wanda', (place) =>
		plan.noReader({ metric: 'wanda', what: "the units of 'GRU_3'" }, place),
	),
	'plan/nothing-found': marked('prune heads 25% in "decoder.*"', '"decoder.*"', (place) =>
		plan.noAnatomy(
			{
				target: 'layers',
				scoped: true,
				near: ["the nearest names are 'encoder.layer.0', 'encoder.layer.1'"],
			},
			place,
		),
	),
	'plan/other-model': plain(plan.changed({ path: 'model.onnx' })),
	'plan/cannot-rewrite': plain(
		plan.broken({ why: 'Reshape_12: a size that depends on the input and on what is removed' }),
	),
	'plan/not-finite': plain(plan.notFinite({ what: 'the weights of /layer.2/ffn/up' })),
	'plan/needs-consent': marked('prune vocab keep 50%', 'prune vocab keep 50%', (place) =>
		plan.needsConsent({ output: 'logits', from: 30522, to: 15261 }, place),
	),
	'plan/columns-stay': marked('prune vocab keep 50%', 'prune vocab keep 50%', (place) =>
		plan.columnsStay({ output: 'logits', columns: 30522, gone: 15261 }, place),
	),
	'plan/unmet-requirement': marked(
		'require transformer with layers >= 6',
		'require transformer with layers >= 6',
		(place) =>
			plan.unmetRequirement(
				{
					text: 'require transformer with layers >= 6',
					found: [{ property: 'layers', value: 2 }],
					kinds: ['transformer'],
					family: undefined,
				},
				place,
			),
	),
	'plan/stays': marked('prune norms', 'prune norms', (place) =>
		exact.stays(
			{
				unit: 'norms',
				why: 'another node reads what they put out',
				labels: ['LayerNormalization_4', 'LayerNormalization_9'],
			},
			place,
		),
	),
	'plan/keep-and-topk': marked('prune softmax with topk', 'with topk', (place) =>
		exact.keepAndTopk({ keeps: false }, place),
	),
	'plan/nothing-to-fold': marked('fuse gates', 'fuse gates', (place) =>
		exact.nothingToDo({ unit: 'gated blocks', of: 0 }, place),
	),
	'plan/no-exit': marked('exit after layer 5 when confidence > 0.9', 'layer 5', (place) =>
		exit.noExit({ layer: 5, why: 'it is the last layer' }, place),
	),
	'plan/no-exits': marked(
		'exit after layer 3 when confidence > 0.9',
		'exit after layer 3 when confidence > 0.9',
		(place) => exit.noExits({ why: 'it has no head that gives classes' }, place),
	),
	'plan/no-threshold': marked('exit after layer 3 when confidence > margin', 'confidence > margin', (place) =>
		exit.noThreshold({}, place),
	),
	'plan/too-little-data': marked('exit after layer 3 when agreement >= 99%', 'agreement >= 99%', (place) =>
		exit.tooLittleData({ found: 20, least: 299, asked: 0.99 }, place),
	),
	'verify/stages-differ': plain(exit.stagesDiffer({ output: 'logits', error: 0.031 })),
	'plan/cannot-split': plain(exit.cannotSplit({ path: 'model.onnx', why: 'it has no exits' })),
	'plan/too-few-to-fit': marked('exit after layer 3 with ridge when confidence > 0.9', 'ridge', (place) =>
		exit.tooFewToFit({ head: 'ridge', found: 0, least: 10 }, place),
	),
	'plan/no-labels': marked('exit after layer 3 with labels when confidence > 0.9', 'labels', (place) =>
		exit.noLabels({ found: 12, count: 400, classes: 8 }, place),
	),
	'plan/no-agreement': marked('exit after layer 0 when agreement >= 99%', 'agreement >= 99%', (place) =>
		exit.noAgreement({ asked: 0.99, count: 400 }, place),
	),
	'plan/goal-not-reached': marked('prune heads, ffn until latency <= 20%', 'latency <= 20%', (place) =>
		goals.goalNotReached({ goal: 'latency <= 20%', best: '41%' }, place),
	),
	'plan/floor-too-high': marked('prune heads while cosine >= 0.9999', 'cosine >= 0.9999', (place) =>
		goals.nothingGood({ goal: 'cosine >= 0.9999' }, place),
	),
	'plan/goal-unmeasured': marked('prune heads until latency <= 60%', 'latency <= 60%', (place) =>
		goals.goalUnmeasured({ subject: 'latency' }, place),
	),
	'plan/tokens-stay': marked('prune tokens keep 50% after layer 3 by attention', 'after layer 3', (place) =>
		tokens.tokensStay({ why: 'the number of tokens is fixed by a Reshape behind it' }, place),
	),
	'plan/rising-schedule': marked('prune tokens keep [50%, 70%] after layers [0, 4]', '[50%, 70%]', (place) =>
		tokens.risingSchedule({}, place),
	),
	'plan/not-faster': marked('factorize ffn auto', 'auto', (place) =>
		factorize.notFaster({ where: '/layer.0/ffn/up', rank: 320, ratio: 0.94 }, place),
	),
	'plan/not-factorized': marked('factorize convolutions rank 16', 'rank 16', (place) =>
		factorize.notFactorized({ why: 'a 1 x 1 kernel has no window', labels: ['Conv_4', 'Conv_9'] }, place),
	),
	'plan/no-spectrum': marked('factorize convolutions energy 95% with cp', 'cp', (place) =>
		factorize.noSpectrum({ scheme: 'with cp' }, place),
	),
	'plan/positions-needed': marked('prune positions keep 64', 'keep 64', (place) =>
		positions.positionsNeeded({ where: '/embeddings/position/Gather', keep: 64, least: 128 }, place),
	),
	'plan/fewer-positions': marked('prune positions keep 128', 'keep 128', (place) =>
		positions.fewerPositions({ keep: 128, before: 512 }, place),
	),
	'plan/output-shortens': marked('prune tokens keep last after last attention', 'keep last', (place) =>
		tokens.outputShortens({ output: 'logits' }, place),
	),
	'plan/cannot-empty': marked('prune channels keep 0 min 0', 'prune channels keep 0 min 0', (place) =>
		plan.cannotEmpty({ what: 'the 64 channels of Conv_3', why: 'Conv_5 is no plain product' }, place),
	),
	'plan/unclear-threshold': marked(
		'prune tokens where attention > 0.01 after layer 3',
		'attention > 0.01',
		(place) => tokens.unclearThreshold({}, place),
	),
	'plan/basis-and-amount': marked('share ffn across layers 2..4 with basis', 'with basis', (place) =>
		layers.basisAndAmount({ hasAmount: false }, place),
	),
	'plan/one-layer': marked('fuse layers 4..5', '4..5', (place) =>
		layers.oneLayer({ what: 'fuse layers', reading: 'layer 4' }, place),
	),
	'plan/layer-stays': marked('share ffn across layers 2..6', 'layers 2..6', (place) =>
		layers.layerStays({ layer: 4, why: 'its feed-forward block is narrower' }, place),
	),
	'plan/not-taken-up': marked('prune layers [0, 4]', 'prune layers [0, 4]', (place) =>
		layers.notTakenUp({ layer: 0, why: 'no layer stands before it' }, place),
	),
	'plan/cannot-fuse-layers': marked('fuse layers 4..6', '4..6', (place) =>
		layers.cannotFuse({ layer: 5, why: 'it ends in no sum' }, place),
	),
	'plan/opset': marked(
		'prune tokens keep 50% after layer 3',
		'prune tokens keep 50% after layer 3',
		(place) => tokens.opsetLacks({ what: 'a sequence that gets shorter', needs: 9, has: 7 }, place),
	),
};
