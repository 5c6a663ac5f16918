# The same as ../ansible/town.yml with the Terraform OpenStack provider, which reads clouds.yaml and secure.yaml:
#   terraform init && terraform apply
terraform {
  required_version = ">= 1.3"
  required_providers {
    openstack = {
      source  = "terraform-provider-openstack/openstack"
      version = "~> 3.0"
    }
  }
}

provider "openstack" {
  cloud = "town"
}

variable "image_file" {
  type        = string
  description = "The portal's image, a qcow2 file"
}

variable "town_hall" {
  type        = string
  description = "The network from which the portal may be reached, such as 10.20.0.0/16"
}

variable "public_key" {
  type        = string
  description = "The OpenSSH public key of whoever may sign in"
}

variable "network_exists" {
  type        = bool
  default     = false
  description = "Whether `openstack network list` shows lgwan: a system has brought it along, so it is not made here"
}

resource "openstack_images_image_v2" "portal" {
  name             = "portal"
  local_file_path  = var.image_file
  disk_format      = "qcow2"
  container_format = "bare"
  # Images have a SHA-256 here, and the provider compares an MD5.
  verify_checksum = false
  properties = {
    yui_declares = "cloud-init"
  }
  lifecycle {
    # What the image's own disk asks for is found out as it is judged.
    ignore_changes = [min_disk_gb]
  }
}

resource "openstack_networking_network_v2" "lgwan" {
  count = var.network_exists ? 0 : 1
  name  = "lgwan"
}

data "openstack_networking_network_v2" "lgwan" {
  count = var.network_exists ? 1 : 0
  name  = "lgwan"
}

# It keeps the rule that lets its servers out, which every new group has.
resource "openstack_networking_secgroup_v2" "portal" {
  name        = "portal"
  description = "The portal's web server"
}

resource "openstack_networking_secgroup_rule_v2" "from_the_town_hall" {
  for_each          = { http = 80, ssh = 22 }
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = each.value
  port_range_max    = each.value
  remote_ip_prefix  = var.town_hall
  security_group_id = openstack_networking_secgroup_v2.portal.id
}

resource "openstack_compute_keypair_v2" "vendor" {
  name       = "vendor"
  public_key = var.public_key
}

resource "openstack_compute_instance_v2" "portal" {
  name            = "portal"
  image_id        = openstack_images_image_v2.portal.id
  flavor_name     = "m1.small"
  key_pair        = openstack_compute_keypair_v2.vendor.name
  security_groups = [openstack_networking_secgroup_v2.portal.name]
  user_data       = file("${path.module}/../user-data.yaml")

  network {
    uuid = one(concat(
      openstack_networking_network_v2.lgwan[*].id,
      data.openstack_networking_network_v2.lgwan[*].id,
    ))
  }
}

resource "openstack_blockstorage_volume_v3" "documents" {
  name = "documents"
  size = 1
}

resource "openstack_compute_volume_attach_v2" "documents" {
  instance_id = openstack_compute_instance_v2.portal.id
  volume_id   = openstack_blockstorage_volume_v3.documents.id
}

output "address" {
  value = openstack_compute_instance_v2.portal.access_ip_v4
}
