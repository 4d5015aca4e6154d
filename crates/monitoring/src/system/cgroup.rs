//! The memory limit of the control group that this process runs in, versions 1 and 2.
//!
//! Linux only in effect: elsewhere the files are not there, and so there is no limit.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the group's files are, and how they are called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cgroup {
    /// The mount of the hierarchy. Limits of every group from here down to the process' own count.
    root: PathBuf,
    group: PathBuf,
    files: &'static Files,
}

#[derive(Debug, PartialEq, Eq)]
struct Files {
    limit: &'static str,
    used: &'static str,
    /// The key in `memory.stat` of the file cache that the kernel gives back first.
    reclaimable: &'static str,
}

const VERSION_1: Files =
    Files { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", reclaimable: "total_inactive_file" };

const VERSION_2: Files = Files { limit: "memory.max", used: "memory.current", reclaimable: "inactive_file" };

/// The tightest of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupMemory {
    pub(super) limit_bytes: u64,
    /// What is in use, without the file cache that is given back first.
    ///
    /// **Source:** the working set of the kubelet,
    /// <https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/#memory>.
    pub(super) used_bytes: u64,
}

impl Cgroup {
    /// Finds the group; `system_root` is `/`, or in a test a folder that is laid out like it. Version 1 goes first:
    /// with both mounted, its hierarchy is the one that has the memory controller.
    pub(super) fn of_this_process(system_root: &Path) -> Option<Self> {
        let groups = fs::read_to_string(system_root.join("proc/self/cgroup")).ok()?;
        let mounts = system_root.join("sys/fs/cgroup");
        let mut version_2 = None;
        for line in groups.lines() {
            let mut fields = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(group)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let group = PathBuf::from(group.trim_start_matches('/'));
            if controllers.is_empty() {
                version_2 = Some(Self { root: mounts.clone(), group, files: &VERSION_2 });
            } else if controllers.split(',').any(|controller| controller == "memory") {
                return Some(Self { root: mounts.join("memory"), group, files: &VERSION_1 });
            }
        }
        version_2
    }

    /// The memory of the group with the lowest limit; `None` without a limit.
    ///
    /// In a container the files of the host's groups above are not there, and where the group's path is the host's,
    /// only those of the mount are: what cannot be read sets no limit.
    pub(super) fn memory(&self) -> Option<GroupMemory> {
        let limits = self.group.ancestors().filter_map(|group| {
            let folder = self.root.join(group);
            // Without a limit the file says `max`, or in version 1 a number beyond any machine's memory.
            let limit_bytes = number(&folder.join(self.files.limit))?;
            let used = number(&folder.join(self.files.used))?;
            let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let reclaimable = stat.lines().find_map(|line| {
                let (key, value) = line.split_once(' ')?;
                (key == self.files.reclaimable).then(|| value.trim().parse::<u64>().ok())?
            });
            Some(GroupMemory { limit_bytes, used_bytes: used.saturating_sub(reclaimable.unwrap_or(0)) })
        });
        limits.min_by_key(|memory| memory.limit_bytes)
    }
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lays out files below a folder that stands for `/`.
    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Option<(u64, u64)>) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let memory = Cgroup::of_this_process(root.path()).and_then(|cgroup| cgroup.memory());
        assert_eq!(memory.map(|memory| (memory.limit_bytes, memory.used_bytes)), expected);
    }

    #[test]
    fn a_container_sees_its_group_as_the_root() {
        check(
            &[
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "1000\n"),
                ("sys/fs/cgroup/memory.current", "700\n"),
                ("sys/fs/cgroup/memory.stat", "anon 300\ninactive_file 250\nactive_file 150\n"),
            ],
            Some((1000, 450)),
        );
    }

    #[test]
    fn the_tightest_group_above_counts() {
        check(
            &[
                ("proc/self/cgroup", "0::/user.slice/trading.service\n"),
                ("sys/fs/cgroup/user.slice/trading.service/memory.max", "max\n"),
                ("sys/fs/cgroup/user.slice/trading.service/memory.current", "10\n"),
                ("sys/fs/cgroup/user.slice/memory.max", "2000\n"),
                ("sys/fs/cgroup/user.slice/memory.current", "900\n"),
            ],
            Some((2000, 900)),
        );
    }

    #[test]
    fn a_path_of_the_host_leads_to_the_mount() {
        check(
            &[
                ("proc/self/cgroup", "0::/docker/0123abcd\n"),
                ("sys/fs/cgroup/memory.max", "500\n"),
                ("sys/fs/cgroup/memory.current", "20\n"),
            ],
            Some((500, 20)),
        );
    }

    #[test]
    fn version_1_has_names_of_its_own() {
        check(
            &[
                ("proc/self/cgroup", "4:cpu,memory:/job\n1:name=systemd:/\n0::/\n"),
                ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "800\n"),
                ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "300\n"),
                ("sys/fs/cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 100\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "300\n"),
            ],
            Some((800, 200)),
        );
    }

    #[test]
    fn without_a_limit_or_a_group_there_is_none() {
        check(&[], None);
        check(&[("proc/self/cgroup", "nonsense\n0::/\n"), ("sys/fs/cgroup/memory.max", "max\n")], None);
    }
}
