/**
 * Tables of embeddings as two of lower rank (ALBERT's factorized embeddings, arXiv:1909.11942, made after training): rows are picked from a
 * narrow table and brought to full width by a product. With data the directions are those in which the rows that ids pick vary
 * most, each token as often as it occurs and once more; without, every token counts once.
 */
import { Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { identity, matrix, type Matrix, type Products } from '../../ir/matrix.ts';
import { type Certificate } from '../../ir/proof.ts';
import { noAnatomy, noGain, pinned } from '../../messages/plan.ts';
import { outputFactors } from '../../numerics/output-pca.ts';
import { plainProducts } from '../../numerics/plain-products.ts';
import { type Factors } from '../../numerics/svd.ts';
import { certify } from '../certify.ts';
import { insert } from '../edits.ts';
import { tablesIn, type Table } from '../vocabulary/embedding-tables.ts';
import { rankWanted } from './factor-sites.ts';
import { stored } from './low-rank.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

type Tables = {
	readonly tables: readonly {
		readonly table: ValueName;
		readonly rank: number;
		/** Names in the plan's tensors: rows × rank and rank × width. */
		readonly narrow: string;
		readonly widening: string;
	}[];
};

export const factorizeEmbeddings = defineTechnique<Tables>({
	words: {
		name: 'factorize-embeddings',
		verb: 'factorize',
		target: 'embeddings',
		aliases: ['embedding', 'vocab'],
		summary:
			'Replace tables of embeddings by a narrow table and a product that widens its rows; a head that is tied to the table goes along. With data by what ids pick, as often as they do.',
		example: 'factorize embeddings rank 64',
		amounts: ['rank', 'energy', 'ratio'],
		bare: false,
		clauses: ['in', 'except', 'align'],
		metrics: [],
	},
	plan,
	lower,
});

async function plan(request: PlanRequest): Promise<Planned<Tables>> {
	const { step, numbering } = request;
	const sites = tablesIn(request);
	if (sites.length === 0) throw new Fault(noAnatomy({ target: 'tables of embeddings' }, { span: step.span }));
	const tensors = new Map<string, Tensor>();
	const refused: Diagnostic[] = [];
	const tables: Tables['tables'][number][] = [];
	const certificates: Certificate[] = [];
	for (const site of sites) {
		const made = await factor(site, request, tensors);
		if ('code' in made) refused.push(made);
		else {
			tables.push(made.decided);
			certificates.push(...made.certificates);
		}
	}
	return {
		plan: {
			...saidOf(step),
			selected: tables.length,
			of: sites.length,
			unit: 'tables',
			removed: [],
			refused,
			certificates,
			decision: { tables },
		},
		tensors,
		numbering,
	};
}

type Made = { readonly decided: Tables['tables'][number]; readonly certificates: readonly Certificate[] };

async function factor(
	site: Table,
	request: PlanRequest,
	tensors: Map<string, Tensor>,
): Promise<Made | Diagnostic> {
	const { table, why } = site;
	const place = { span: request.step.span, at: table.name };
	if (why !== undefined) return pinned({ what: `the table '${table.name}'`, why }, place);
	const [rows = 0, cols = 0] = table.dims;
	const e = matrix(rows, cols, Float64Array.from(numbersOf(table)));
	const products = request.lab?.products ?? plainProducts;
	const moments = await momentsOf(site, e, request);
	const found = await outputFactors(identity(cols), moments, rankWanted(request.step, e), products);
	const most = Math.ceil((rows * cols) / (rows + cols)) - 1;
	if (found.rank > most) return noGain({ where: table.name, rank: found.rank, most }, place);
	const narrow = await products.multiply(e, found.left);
	const kept = stored({ left: narrow, right: found.right }, table.type);
	const names = { narrow: `${table.name}.narrow`, widening: `${table.name}.widening` };
	tensors.set(names.narrow, tensorOf(names.narrow, table.type, [rows, found.rank], kept.left.data));
	tensors.set(names.widening, tensorOf(names.widening, table.type, [found.rank, cols], kept.right.data));
	const certificates = await certified(e, narrow, found, { ...kept, moments }, products);
	return {
		decided: { table: table.name, rank: found.rank, ...names },
		certificates: certificates.map((one) => ({ of: table.name, ...one })),
	};
}

/** The directions hold what their spectrum says of the rows' variance; the narrow rows, as stored, are the rows along them. */
async function certified(
	e: Matrix,
	narrow: Matrix,
	{ right, tail }: Factors,
	kept: { readonly left: Matrix; readonly right: Matrix; readonly moments: Matrix },
	products: Products,
): Promise<Omit<Certificate, 'of'>[]> {
	const project = (along: Matrix): Promise<Matrix> => products.multiply(along, along, 'tn');
	const directions = {
		of: identity(e.cols),
		computed: await project(right),
		stored: await project(kept.right),
	};
	const own = { ...directions, moments: await products.multiply(e, e, 'tn'), tail: 0 };
	const rows = {
		...{ of: e, computed: await products.multiply(narrow, right) },
		stored: await products.multiply(kept.left, kept.right),
	};
	const lost = (await certify(own, products)).measured ** 2;
	return [
		{
			says: 'variance of rows',
			...(await certify({ ...directions, moments: kept.moments, tail }, products)),
		},
		{ says: 'rows as stored', ...(await certify({ ...rows, tail: lost }, products)) },
	];
}

/** Second moments of rows: of each once, and on the user's inputs of each as often as it is picked. */
async function momentsOf({ lookups, table }: Table, e: Matrix, { lab, model }: PlanRequest): Promise<Matrix> {
	const products = lab?.products ?? plainProducts;
	const once = await products.multiply(e, e, 'tn');
	if (lab?.calibrated !== true) return once;
	const picked = lookups.flatMap(({ outputs: [output] }) =>
		output === undefined || output.inBody
			? []
			: [
					{
						value: output.name,
						rank: output.sizes.length,
						axis: output.sizes.length - 1,
						size: table.dims[1] ?? 0,
					},
				],
	);
	const grams = await lab.grams(model, picked);
	const sums = grams.flatMap(({ fit, heldOut }) => [fit.gram.data, heldOut.gram.data]);
	return matrix(
		once.rows,
		once.cols,
		once.data.map((value, at) => sums.reduce((sum, own) => sum + (own[at] ?? 0), value)),
	);
}

/** Rewrite: narrow rows, widened. Reference: one table, the product of the two, made in the graph. Control: the model before. */
function lower({ net: { model }, decision: { tables }, tensors, label }: LowerTask<Tables>): Lowered {
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	const plain: Edit[] = [];
	for (const { table, narrow, widening } of tables) {
		const names = { narrow: fresh(`${table}_narrow`), widening: fresh(`${table}_widening`) };
		const put = (name: ValueName, of: string): Edit => ({
			kind: 'constant',
			tensor: { ...present(tensors.get(of), of), name },
		});
		const constants = [put(names.narrow, narrow), put(names.widening, widening)];
		const product = fresh(`${table}_product`);
		plain.push(...constants, insert('MatMul', [names.narrow, names.widening], product), {
			kind: 'rewire',
			from: table,
			to: product,
		});
		const turned = fresh(`${table}_turned`);
		edits.push(...constants, insert('Transpose', [names.widening], turned));
		for (const node of model.graph.nodes)
			if (node.inputs.includes(table))
				edits.push(...readNarrow(model.graph.nodes, node, table, { ...names, turned }, fresh));
	}
	const reference = applyPatch(model, { label: 'reference', edits: plain });
	return {
		patch: { label, edits },
		claims: [{ says: 'a table that is the product of the two', reference, controls: [() => model] }],
	};
}

type Names = { readonly narrow: ValueName; readonly widening: ValueName; readonly turned: ValueName };

/** Picked rows are widened behind the lookup; a tied product reads what it multiplies brought to the narrow width. */
function readNarrow(
	nodes: readonly Node[],
	node: Node,
	table: ValueName,
	{ narrow, widening, turned }: Names,
	fresh: (base: string) => ValueName,
): Edit[] {
	const [output = ''] = node.outputs;
	const inputs = node.inputs.map((name) => (name === table ? narrow : name));
	if (node.op === 'Gather') {
		const rows = fresh(`${output}_narrow`);
		return [
			{ kind: 'node', node: { ...node, inputs, outputs: [rows] } },
			insert('MatMul', [rows, widening], output),
		];
	}
	const through = (product: Node, own: readonly ValueName[]): Edit[] => {
		const [x = ''] = own;
		const short = fresh(`${x}_narrow`);
		return [
			insert('MatMul', [x, turned], short),
			{ kind: 'node', node: { ...product, inputs: [short, ...own.slice(1)] } },
		];
	};
	if (node.op === 'Gemm') return through(node, inputs);
	const tied = nodes.filter((reader) => reader.inputs.includes(output));
	return [
		{ kind: 'node', node: { ...node, inputs } },
		...tied.flatMap((reader) => through(reader, reader.inputs)),
	];
}
