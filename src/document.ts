/** What goes into a build and what comes out: the options, and the document that `--json` prints. */
import { type Diagnostic } from './diagnostic.ts';
import { type Imports } from './ir/imports/imports.ts';
import { type Shapes } from './ir/graph/bindings.ts';
import { type Patch } from './ir/graph/patch.ts';
import { type Drift, type Latency, type Proof } from './ir/proof.ts';
import { type Judged } from './passes/expect.ts';
import { type StepPlan } from './passes/technique.ts';

export type CompileOptions = {
	/** The text of the recipe. */
	readonly recipe: string;
	/** Where the text came from: for messages, and the folder that its imports are looked for from. */
	readonly recipePath?: string;
	/** What the recipe imports, where it has been read already. */
	readonly imports?: Imports;
	/** Path of the model. */
	readonly model: string;
	/** Path of the result; absent: nothing is written. */
	readonly out?: string;
	/** Writes the plan there: every decision, for `applyPlan`. */
	readonly planPath?: string;
	/** Calibration data: a file or a folder in one of the formats of docs/data.md. */
	readonly data?: string;
	/** By name: a number in its base unit (0.25 for `25%`), or what one writes behind `=`. */
	readonly params?: Readonly<Record<string, number | string>>;
	/** Sizes for dynamic inputs. */
	readonly shapes?: Shapes;
	readonly seed?: number;
	readonly threads?: number;
	readonly samples?: number;
	/** Runs the proof and the drift measurement; true unless said otherwise. */
	readonly verify?: boolean;
	readonly force?: boolean;
	/** Writes the result although an expectation failed. */
	readonly keepGoing?: boolean;
	/** Times both models. */
	readonly bench?: boolean;
	/** Takes statistics of the same model and data from the user's cache, and keeps new ones there; true unless said otherwise. */
	readonly cache?: boolean;
	/** A file that must hold what comes out: its graph and weights are compared. */
	readonly against?: string;
	readonly signal?: AbortSignal;
	readonly onProgress?: (message: string) => void;
	/** Called with the edits of each step. */
	readonly onPatch?: (patch: Patch) => void;
};

export type ModelReport = {
	readonly path: string;
	readonly sha256?: string;
	readonly params: number;
	readonly bytes: number;
	readonly macs: number;
	readonly opset: number;
};
export type StepReport = Omit<StepPlan, 'decision'> & {
	readonly params: readonly [number, number];
	readonly macs: readonly [number, number];
	/** Operators that multiply and stand in neither figure, since their sizes cannot be told; absent where there are none. */
	readonly uncounted?: readonly [number, number];
	readonly proof?: Proof;
	/** The step changed no node and no tensor: there is nothing to prove. */
	readonly unchanged?: true;
};
export type Statistics = { readonly fromCache: number; readonly measured: number };
/** The document that `prunec build --json` prints. */
export type BuildDocument = {
	readonly schema: 'prunec/build@1';
	readonly ok: boolean;
	readonly recipe: {
		readonly path?: string;
		/** Of the text and, where it imports, of the imported texts behind it, a zero byte before each. */
		readonly sha256: string;
		readonly statements: readonly string[];
	};
	readonly model?: ModelReport;
	readonly output?: Partial<ModelReport>;
	readonly inputs?: string;
	/** How many statistics were known from earlier runs, and how many were measured; absent where none was known. */
	readonly statistics?: Statistics;
	readonly steps: readonly StepReport[];
	readonly proof?: Proof;
	readonly drift?: Drift;
	readonly latency?: Latency;
	readonly expectations: readonly Judged[];
	readonly diagnostics: readonly Diagnostic[];
};
